# The image: one static binary, the CA certificates, nothing else.
#
#   docker build -t preflight:local .                             compiles it here
#   docker build --build-arg BINARY=local -t preflight:local .    takes dist/preflight and
#                                                                 dist/ca-certificates.crt
#
# `--build-arg COMMIT=$(git rev-parse --short=12 HEAD)` lets `preflight --version` name the commit.
#
# It builds with the BuildKit of Docker Engine 20.10, which has no `COPY --link` and no heredocs.
ARG BINARY=build

FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base ca-certificates
WORKDIR /work
COPY . .
ARG COMMIT=
# The target is named although it is the host's own, so that the flags do not reach procedural
# macros, which cannot be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/work/target \
    target=$(rustc -vV | sed -n 's/^host: //p') \
    && PREFLIGHT_COMMIT="$COMMIT" RUSTFLAGS='-C target-feature=+crt-static' \
       cargo build --locked --profile dist --target "$target" --bin preflight \
    && cp "target/$target/dist/preflight" /preflight \
    && cp /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt

FROM scratch AS local
COPY dist/preflight dist/ca-certificates.crt /

FROM ${BINARY} AS binary

FROM scratch
ARG VERSION=unknown
LABEL org.opencontainers.image.title="preflight" \
      org.opencontainers.image.description="Proves that every model of a Docker Compose inference stack will load, before any engine starts" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=binary /ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=binary /preflight /preflight
ENV PREFLIGHT_ROLE=init
USER 65532:65532
ENTRYPOINT ["/preflight"]
