# The image: one static binary, the CA certificates, nothing else.
#
#   docker build -t preflight:local .
#
# RUST_IMAGE   a Debian with Rust, a C compiler and the CA certificates
# PROFILE      a profile of Cargo.toml
# COMMIT       what `preflight --version` names: --build-arg COMMIT=$(git rev-parse --short=12 HEAD)
#
# It builds with the BuildKit of Docker Engine 20.10, which has no `COPY --link` and no heredocs.
ARG RUST_IMAGE=rust:1.95-slim-bookworm

FROM ${RUST_IMAGE} AS build
WORKDIR /work
COPY . .
ARG PROFILE=dist
ARG COMMIT=
# The target is named although it is the host's own, so that the flags do not reach procedural
# macros, which cannot be static. The C library that is linked in looks up names in /etc/hosts and
# DNS without loading anything, since glibc 2.34. Sources are touched because the folder that is
# built into is kept between builds, and may be newer than they are.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/work/target \
    target=$(rustc -vV | sed -n 's/^host: //p') \
    && find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && PREFLIGHT_COMMIT="$COMMIT" RUSTFLAGS='-C target-feature=+crt-static' \
       cargo build --locked --profile "$PROFILE" --target "$target" --bin preflight \
    && cp "target/$target/$PROFILE/preflight" /preflight

FROM scratch
ARG COMMIT=
ARG VERSION=unknown
LABEL org.opencontainers.image.title="preflight" \
      org.opencontainers.image.description="Proves that every model of a Docker Compose inference stack will load, before any engine starts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /preflight /preflight
ENV PREFLIGHT_ROLE=init
USER 65532:65532
ENTRYPOINT ["/preflight"]
