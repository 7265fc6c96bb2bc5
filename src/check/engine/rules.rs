//! The rules about how engines are started, with what `preflight explain` says about each.

use crate::exit_code::ExitCode;
use crate::finding::{Rule, Severity};

pub(super) static NO_MODEL_NAMED: Rule = Rule {
    id: "no-model-named",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The engine is started without being told which model to open.

It does not fail for that: vLLM downloads a small default model, TGI downloads
`bigscience/bloom-560m`, and `llama-server` starts as a router without any model, with a green
health check. The stack comes up and serves the wrong model or none.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: --port 8000            # no model
    volumes: [./models:/models:ro]
```

**Fix:** name the model by the path that the container sees:

```yaml
    command: --model /models/coder --port 8000
```
",
};

pub(super) static LANE_PATH_AMBIGUOUS: Rule = Rule {
    id: "lane-path-ambiguous",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
A lane's path can be a path of the host, or a path inside more than one service, and these are
not the same file.

Judging one of them could call a lane ready whose engine opens the other.

```yaml
services:
  app:
    environment:
      ARGOS_LANE_CODER_MODEL_PATH: /models/coder    # mounted from two folders below
  first:
    volumes: [./one:/models]
  second:
    volumes: [./two:/models]
```

**Fix:** say which service opens it:

```yaml
x-preflight:
  lanes:
    coder: {service: first, path: /models/coder}
```
",
};

pub(super) static LANE_PATH_DIFFERS: Rule = Rule {
    id: "lane-path-differs",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
A label, `x-preflight` or a variable gives a lane one path, and the command of its service opens
another.

The files that would be proved are not the files that the engine loads.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/coder-v2
x-preflight:
  lanes:
    coder: {service: coder, path: /models/coder}
```

**Fix:** write the same path in both, or leave `path` out: the command tells it.
",
};

pub(super) static LANE_WITHOUT_PATH: Rule = Rule {
    id: "lane-without-path",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
A lane is declared, and neither its declaration nor the command of a service nor the catalogue says
where its model is, so there is nothing to prove.

Common causes: the lane names no service, or the image of its service has a name of your own, so
that its engine is not recognised.

```yaml
x-preflight:
  lanes:
    coder: {source: \"hf://Qwen/Qwen2.5-Coder-32B-Instruct\"}    # and where is it to be?
```

**Fix:** set `service` to the service that opens it, and `path` to the path as that service sees it.
",
};

pub(super) static SOURCE_NAMES_NO_FILE: Rule = Rule {
    id: "source-names-no-file",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
A lane opens one GGUF file, it is missing, and its source is a whole repository.

Such repositories hold the same model in a dozen quantisations; all of them would be fetched, into a
folder with the name of the file.

```yaml
x-preflight:
  lanes:
    reader: {path: /models/tiny.gguf, source: \"hf://acme/tiny-GGUF\"}
```

**Fix:** name the file in the source: `hf://acme/tiny-GGUF/tiny-Q4_K_M.gguf`.
",
};

pub(super) static LANE_SERVICE_UNKNOWN: Rule = Rule {
    id: "lane-service-unknown",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
A lane is declared for a service that the project does not have.

The name is misspelt, the service was renamed, or it belongs to a profile that is not enabled.
Without the service it is not known through which mounts the path leads.

```yaml
services:
  inference-vllm: {image: \"vllm/vllm-openai\"}
x-preflight:
  lanes:
    coder: {service: inference-vlm, path: /models/coder}    # misspelt
```

**Fix:** write the service's name, or enable its profile with `--profile`.
",
};

pub(super) static FLAG_UNKNOWN_TO_ENGINE: Rule = Rule {
    id: "flag-unknown-to-engine",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The engine does not know a flag of its command line and exits at once.

`llama-server` compares whole words: `--model=x` is not `--model x` but one unknown flag, and the
container ends with `error: invalid argument`. vLLM drops flags from release to release and ends
with `unrecognized arguments`; that is said only of a release whose flags are known, and nothing is
said about an image without a release in its tag.

```yaml
services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: --model=/models/reader.gguf
```

**Fix:** write the flag and its value as two words:

```yaml
    command: --model /models/reader.gguf
```
",
};

pub(super) static COMMAND_LINE_REFUSED: Rule = Rule {
    id: "command-line-refused",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The engine will refuse its command line: a flag has no value, a number is none, a word is left
over, or the program is named twice.

The usual cause is a variable that is not set: `--model ${MODEL} --port 8000` becomes
`--model --port 8000`. Another is a `command` that begins with `vllm serve` for an image whose
entrypoint is `vllm serve` already.

```yaml
services:
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: vllm serve /models/coder    # runs `vllm serve vllm serve /models/coder`
```

**Fix:** write the missing value or remove the word too many:

```yaml
    command: /models/coder
```
",
};

pub(super) static VARIABLE_CONSUMED_BY_COMPOSE: Rule = Rule {
    id: "variable-consumed-by-compose",
    severity: Severity::Warning,
    exit: ExitCode::Lane,
    docs: "\
A command uses a variable that only the service's own environment defines.

Compose expands `$NAME` and `${NAME}` in the file before any container exists, with the variables
of its own environment and of `.env`. A name that is set only under the service's `environment`
becomes nothing there.

```yaml
services:
  coder:
    image: acme/coder
    environment: {MODEL: /models/coder}
    command: sh -c \"vllm serve $MODEL\"    # becomes `vllm serve `
```

**Fix:** let the container's shell expand it, by writing `$$`:

```yaml
    command: sh -c \"vllm serve $$MODEL\"
```
",
};
