//! Entrypoints, wrappers and scripts, down to the engine.

use std::path::Path;

use super::*;
use crate::project::{Line, Mount, MountSource};
use crate::source_map::{SourceMap, Span};

#[test]
fn an_entrypoint_that_depends_on_the_release_is_known() {
    let old = "vllm/vllm-openai:v0.9.2";
    check(old, "--model /m", "vLLM | model=/m | version=0.9.2");
    let said = grammars::refused(&service(old, &["/m"]));
    assert!(said.starts_with("`/m` stands where a model has to be behind `vllm serve`"), "{said}");
    check("vllm/vllm-openai:v0.12.0", "/m", "vLLM | model=/m | version=0.12.0");
    let rocm = "vllm/vllm-openai-rocm:v0.12.0";
    check(rocm, "vllm serve /m", "vLLM | model=/m | version=0.12.0");
    check(rocm, "sleep 1", "none");
    let repeated = "vLLM | model=/m | ProgramRepeated { program: \"vllm serve\" }";
    check(VLLM, "vllm serve /m", repeated);
    check(VLLM, "python3 -m vllm.entrypoints.openai.api_server --model /m", repeated);
    let full = "ghcr.io/ggml-org/llama.cpp:full-b4719";
    check(full, "--server -m /m.gguf", "llama.cpp | model=/m.gguf | version=b4719");
    check(full, "--run -m /m.gguf", "none");
    check("ghcr.io/ggml-org/llama.cpp:light", "-m /m.gguf", "none");
    let repeated = "llama.cpp | model=/m.gguf | ProgramRepeated { program: \"/app/llama-server\" }";
    check(LLAMA, "llama-server -m /m.gguf", repeated);
}

#[test]
fn an_image_of_somebody_s_own_may_name_the_model_by_itself() {
    let unread = "unread: what the image runs by itself is not known";
    let zephyr = "registry.local/vllm-zephyr:1";
    check(zephyr, "--max-model-len 4096", &format!("vLLM | {unread}"));
    check(zephyr, "--model /m", "vLLM | model=/m");
    let worker = "registry.local/llamacpp-worker:1";
    check(worker, "--host 0.0.0.0 --mem 4192", "none");
    // A flag that has lost its value is refused whatever stands before it.
    let lost = shown(&service(worker, &["--model", "--ctx-size", "2048"]));
    assert!(!lost.contains(unread) && lost.starts_with("llama.cpp | "), "{lost}");
}

#[test]
fn an_entrypoint_of_the_service_stands_before_the_command() {
    let mut set = service(VLLM, &["--model", "/m"]);
    set.entrypoint = Some(spanned(&["vllm", "serve"]));
    assert_eq!(shown(&set), "vLLM | model=/m");
    set.entrypoint = Some(spanned(&["sleep"]));
    assert_eq!(shown(&set), "none");
    set.entrypoint = Some(spanned(&["/entry.sh"]));
    assert_eq!(shown(&set), "vLLM | unread: the script `/entry.sh` was not seen");
    set.entrypoint = Some(Vec::new());
    set.command = Some(spanned(&["vllm", "serve", "/m"]));
    assert_eq!(shown(&set), "vLLM | model=/m");
    set.command = None;
    assert_eq!(shown(&set), "none");
}

#[test]
fn an_official_script_hands_its_words_over_to_the_program() {
    let tgi = "ghcr.io/huggingface/text-generation-inference:3.3.4";
    let mut inspected = service(tgi, &["--model-id", "/m"]);
    inspected.entrypoint = Some(spanned(&["./entrypoint.sh"]));
    assert_eq!(shown(&inspected), "TGI | model=/m | port=80 | version=3.3.4");
    let mut inspected = service("localai/localai:v2.26.0", &["phi"]);
    inspected.entrypoint = Some(spanned(&["/entrypoint.sh"]));
    let unread = "unread: the models `phi` of `MODELS` are not looked at yet";
    assert_eq!(shown(&inspected), format!("LocalAI | version=2.26.0 | {unread}"));
}

fn check_script(script: &str, expected: &str) {
    let mut service = service("acme/vllm-base", &[script]);
    service.entrypoint = Some(spanned(&["/bin/bash", "-lc"]));
    let variables = [("MODEL", "/m/x"), ("PORT", "81"), ("ARGS", "--dtype half --port 7")];
    assert_eq!(shown(&with_environment(service, &variables)), expected, "{script}");
}

#[test]
fn what_eval_is_given_and_what_a_function_does_is_a_part_of_the_script() {
    let model = "vLLM | model=/m/x";
    check_script("eval \"exec vllm serve $MODEL\"", model);
    check_script("C=\"vllm serve /m/x --port 81\"; eval $C", "vLLM | model=/m/x | port=81");
    check_script("eval 'export P=82'; vllm serve $MODEL --port $P", "vLLM | model=/m/x | port=82");
    check_script("run() { exec vllm serve \"$1\"; }; run /m/x", model);
    check_script("main() {\n# it's this\nvllm serve \"$@\"\n}\nmain \"$MODEL\"", model);
    check_script(
        "start() { run --port 83; }; run() { vllm serve /m/x $1 $2; }; start",
        "vLLM | model=/m/x | port=83",
    );
    check_script("usage() { vllm serve /other; }; vllm serve $MODEL", model);
    check_script(
        "P=1; set() { P=84; }; set; vllm serve $MODEL --port $P",
        "vLLM | model=/m/x | port=84",
    );
    check_script("again() { again; }; again", "vLLM | unread: the script calls itself too often");
    let unknown = "vLLM | unread: the output of a command is not known";
    check_script("eval \"$(cat /start)\"", unknown);
    let part = "vLLM | model=/m/x | unread: `$WHAT` is not in the service's environment";
    check_script("eval \"vllm serve /m/x $WHAT\"", part);
    check_script("eval \"ray start --block $WHAT\" && sleep 1", "none");
    let first = "vLLM | unread: `$WHAT` is not in the service's environment";
    check_script("eval \"$WHAT vllm serve /m/x\"", first);
    check_script("usage() { vllm serve /m/x; }; sleep 1", "none");
}

#[test]
fn what_a_function_has_of_its_own_ends_with_it() {
    let model = "vLLM | model=/m/x";
    let own = "log() { local PORT=$1 M=/no; }; log abc; vllm serve ${M:-/m/x} --port $PORT";
    check_script(own, "vLLM | model=/m/x | port=81");
    check_script("f() { return 0; MODEL=/no; }; f; vllm serve $MODEL", model);
    let perhaps = "f() { [ -e /x ] && return; MODEL=/no; }; f; vllm serve $MODEL";
    check_script(perhaps, "vLLM | unread: the script sets `MODEL` in more than one way");
    let main =
        "main() { local m=\"$1\"; shift; exec vllm serve \"$m\" \"$@\"; }; main /m/x --port 85";
    check_script(main, "vLLM | model=/m/x | port=85");
    check_script("set -- /m/x --port 86; vllm serve \"$@\"", "vLLM | model=/m/x | port=86");
    check_script("set -- a /m/x; shift; vllm serve \"$1\"", model);
    check_script(
        "set -- /m/x /y; [ -e /x ] && shift; vllm serve \"$1\"",
        "vLLM | unread: the script changes its own words in more than one way",
    );
    check_script("a() { b() { c() {\nvllm serve $MODEL", model);
}

#[test]
fn a_shell_script_is_followed_to_the_engine() {
    let model = "vLLM | model=/m/x";
    check_script("exec vllm serve $MODEL", model);
    check_script("vllm serve \"${MODEL}\"", model);
    check_script("set -e; cd /w && exec vllm serve ${NONE:-/m/x}", model);
    check_script("vllm serve $MODEL --port $PORT", "vLLM | model=/m/x | port=81");
    check_script("vllm serve $MODEL $ARGS", "vLLM | model=/m/x | port=7 | dtype=half");
    check_script("MODEL=/y; vllm serve $MODEL", "vLLM | model=/y");
    check_script("export MODEL=/y && vllm serve $MODEL", "vLLM | model=/y");
    check_script("MODEL=/y vllm serve $MODEL", model);
    check_script("cd /w && vllm serve ./m", "vLLM | model=/w/m");
    check_script("bash -c 'vllm serve $MODEL'", model);
    check_script("vllm serve \\\n  $MODEL \\\n  --port 9 # note", "vLLM | model=/m/x | port=9");
    check_script("if true; then vllm serve $MODEL; fi > /log 2>&1", model);
    check_script("vllm serve $WHAT", "vLLM | unread: `$WHAT` is not in the service's environment");
    check_script(
        "vllm serve --model $WHAT --port 9",
        "vLLM | port=9 | unread: the value of `--model` is not known: \
         `$WHAT` is not in the service's environment",
    );
    check_script("vllm serve /m --api-key $KEY", "vLLM | model=/m");
    check_script(
        "vllm serve /a & vllm serve /b",
        "vLLM | model=/a | unread: the script starts an engine more than once, of which the \
         first is read",
    );
    check_script("/run.sh", "vLLM | unread: the script `/run.sh` was not seen");
    check_script("sleep infinity", "none");
    check_script("", "none");
}

#[test]
fn arguments_behind_a_script_reach_the_engine_with_their_own_places() {
    let mut service = service("acme/x", &["--model", "/m"]);
    service.entrypoint = Some(spanned(&["sh", "-c", "exec vllm serve \"$@\"", "--"]));
    assert_eq!(shown(&service), "vLLM | model=/m");
    let mut sources = SourceMap::default();
    let source = sources.add(Path::new("compose.yaml"), "--model /m".to_owned());
    let place = Place::at(Span { source, start: 8, end: 10 });
    service.command.as_mut().unwrap()[1].place = place.clone();
    let invocation = invocation(&service).unwrap();
    assert_eq!(invocation.model().map(|model| &model.place), Some(&place));
    assert_eq!(invocation.model().map(|model| model.by.as_str()), Some("--model"));
}

#[test]
fn a_relative_path_needs_a_known_working_directory() {
    let unread = "vLLM | unread: `./m` is relative to the image's working directory, \
                  which is not known";
    check("acme/x", "vllm serve ./m", unread);
    let mut service = service("acme/x", &["vllm", "serve", "models/m"]);
    service.working_dir = Some(ServicePath::new("/srv"));
    assert_eq!(shown(&service), "vLLM | model=models/m");
    service.mounts.push(Mount {
        source: MountSource::Anonymous,
        target: ServicePath::new("/srv/models"),
        read_only: true,
        place: Place::nowhere(),
    });
    assert_eq!(shown(&service), "vLLM | model=/srv/models/m");
}

/// `command` as one text, which Compose makes these words of.
fn check_line(entrypoint: &[&str], text: &str, words: &[&str], expected: &str) {
    let mut service = service("acme/x", words);
    service.entrypoint = Some(spanned(entrypoint)).filter(|_| !entrypoint.is_empty());
    let cut_at = text.contains("&&").then(|| "&&".to_owned());
    service.lines = vec![Line { key: "command", text: Spanned::nowhere(text.to_owned()), cut_at }];
    assert_eq!(shown(&service), expected, "{text}");
}

#[test]
fn a_line_of_which_compose_takes_no_engine_is_read_as_it_was_meant() {
    let shell = ["/bin/sh", "-c"];
    let cut = |at: &str, left: &str, own_entrypoint: bool| {
        let bare = left.starts_with("/bin/sh -c llama-server");
        let lines = ["test -f", " if ", " cd "].iter().any(|first| left.contains(first));
        format!(
            "CommandCut(CutCommand {{ key: \"command\", at: {at}, left: {left:?}, own_entrypoint: \
             {own_entrypoint}, bare: {bare}, lines: {lines} }})"
        )
    };
    check_line(
        &shell,
        "/check.sh /m &&\n exec vllm serve\n   /m\n",
        &["/check.sh", "/m"],
        &format!("vLLM | model=/m | {}", cut("Some(\"&&\")", "/bin/sh -c /check.sh /m", true)),
    );
    check_line(
        &shell,
        "vllm serve /m",
        &["vllm", "serve", "/m"],
        &format!("vLLM | model=/m | {}", cut("None", "/bin/sh -c vllm serve /m", true)),
    );
    check_line(
        &[],
        "/check.sh && vllm serve /m",
        &["/check.sh"],
        &format!("vLLM | model=/m | {}", cut("Some(\"&&\")", "/check.sh", false)),
    );
    check_line(
        &shell,
        "test -f /m\nexec vllm serve /m\n",
        &["test", "-f", "/m", "exec", "vllm", "serve", "/m"],
        &format!(
            "vLLM | model=/m | {}",
            cut("None", "/bin/sh -c test -f /m exec vllm serve /m", true)
        ),
    );
    check_line(
        &shell,
        "if true && test -f /m\nthen vllm serve /m; fi",
        &["if", "true"],
        &format!("vLLM | model=/m | {}", cut("Some(\"&&\")", "/bin/sh -c if true", true)),
    );
    check_line(
        &shell,
        "cd /m && \\\n  llama-server -m /m/x",
        &["cd", "/m"],
        &format!("llama.cpp | model=/m/x | {}", cut("Some(\"&&\")", "/bin/sh -c cd /m", true)),
    );
    check_line(
        &shell,
        "llama-server -m /m",
        &["llama-server", "-m", "/m"],
        &format!("llama.cpp | model=/m | {}", cut("None", "/bin/sh -c llama-server -m /m", true)),
    );
    check_line(&shell, "llama-server", &["llama-server"], "llama.cpp");
    check_line(&["/start.sh"], "test -f /m && vllm serve /m", &["test", "-f", "/m"], "none");
    check_line(&[], "vllm serve /m && echo", &["vllm", "serve", "/m"], "vLLM | model=/m");
    check_line(&shell, "sleep 1 && echo", &["sleep", "1"], "none");
}

/// What a service whose files have these texts starts.
fn check_texts(entrypoint: &[&str], command: &[&str], texts: &[(&str, &str)], expected: &str) {
    let mut service = service("acme/gpu-base", command);
    service.entrypoint = Some(spanned(entrypoint)).filter(|_| !entrypoint.is_empty());
    service.working_dir = Some(ServicePath::new("/srv"));
    for (path, text) in texts {
        service.texts.insert(ServicePath::new(*path), (*text).to_owned().into());
    }
    let service = with_environment(service, &[("MODEL", "/m/x")]);
    let unseen = unseen_text(&service).map(|path| format!("{path} | ")).unwrap_or_default();
    assert_eq!(format!("{unseen}{}", shown(&service)), expected, "{entrypoint:?} {command:?}");
}

#[test]
fn a_script_that_was_seen_is_followed_to_the_engine() {
    let start =
        "#!/usr/bin/env bash\nset -euo pipefail\nexec vllm serve \"$MODEL\" --port 81 \"$@\"\n";
    let served = "vLLM | model=/m/x | port=81";
    check_texts(&["/start.sh"], &[], &[("/start.sh", start)], served);
    check_texts(&["bash", "start.sh"], &[], &[("/srv/start.sh", start)], served);
    check_texts(&[], &["sh", "-e", "/start.sh"], &[("/start.sh", start)], served);
    let half = "vLLM | model=/m/x | port=81 | dtype=half";
    check_texts(&["/start.sh"], &["--dtype", "half"], &[("/start.sh", start)], half);
    let texts = [("/outer", "#!/bin/sh\n. /env\n/start.sh --dtype half"), ("/start.sh", start)];
    check_texts(&["/outer"], &[], &texts, half);
    let config = [("/start.sh", "vllm serve --config /c.yaml"), ("/c.yaml", "model: /c")];
    check_texts(&["/start.sh"], &[], &config, "vLLM | model=/c");
    let pass = [("/entry.sh", "#!/bin/sh\nchown -R 1 /x\nexec \"$@\"\n")];
    check_texts(&["/entry.sh"], &["vllm", "serve", "/m"], &pass, "vLLM | model=/m");
}

#[test]
fn a_script_whose_text_is_needed_is_named() {
    check_texts(&["/start.sh"], &[], &[], "/start.sh | none");
    check_texts(&["sh", "run.sh"], &[], &[], "/srv/run.sh | none");
    check_texts(&["python3", "app.py"], &[], &[], "none");
    check_texts(&["/app.py"], &[], &[], "none");
    let passed = "/entry.sh | vLLM | model=/m | unread: the script `/entry.sh` was not seen";
    check_texts(&["/entry.sh"], &["vllm", "serve", "/m"], &[], passed);
    let outer = [("/outer.sh", "exec /inner.sh")];
    check_texts(&["/outer.sh"], &[], &outer, "/inner.sh | none");
    let config = [("/start.sh", "vllm serve --config /c.yaml")];
    let unread = "/c.yaml | vLLM | unread: the file `/c.yaml` was not seen";
    check_texts(&["/start.sh"], &[], &config, unread);
    check_texts(&["/start.sh"], &[], &[("/start.sh", "sleep infinity")], "none");
    check_texts(&["/loop.sh"], &[], &[("/loop.sh", "/loop.sh")], "none");
    let python = [("/run", "#!/usr/bin/python3\nprint('vllm serve /m')\n")];
    check_texts(&["/run"], &[], &python, "none");
}

#[test]
fn what_a_script_sets_under_a_condition_is_known_where_the_condition_is() {
    let model = |name: &str| format!("vLLM | model={name}");
    let unknown =
        |name: &str| format!("vLLM | unread: the script sets `{name}` in more than one way");
    check_script("if [ -z \"$X\" ]; then X=/d; fi; vllm serve $X", &model("/d"));
    check_script("if [ -z \"$MODEL\" ]; then MODEL=/d; fi; vllm serve $MODEL", &model("/m/x"));
    check_script("if [ \"$PORT\" = 81 ]; then A=/a; else A=/b; fi; vllm serve $A", &model("/a"));
    check_script("if [ \"$PORT\" != 81 ]; then A=/a; else A=/b; fi; vllm serve $A", &model("/b"));
    check_script("if ! test -n \"$MODEL\"; then A=/a; else A=/b; fi; vllm serve $A", &model("/b"));
    check_script("[ -n \"$MODEL\" ] && A=$MODEL || A=/d; vllm serve $A", &model("/m/x"));
    check_script("[ -z \"$MODEL\" ] && MODEL=/d; vllm serve $MODEL", &model("/m/x"));
    let of_file = "if [ -f /x ]; then A=/a; else A=/b; fi; vllm serve $A";
    check_script(of_file, &unknown("A"));
    check_script("if [ -f /x ]; then A=/a; else A=/a; fi; vllm serve /m", &model("/m"));
    check_script("case $PORT in 81) A=/a ;; *) A=/b ;; esac; vllm serve $A", &unknown("A"));
    check_script("A=/a; for x in 1 2; do A=/b; done; vllm serve $A", &unknown("A"));
    check_script("A=/a; nvidia-smi || A=/b; vllm serve $A", &unknown("A"));
    let chosen = "if [ -n \"$MODEL\" ]; then vllm serve $MODEL; else vllm serve /d; fi";
    check_script(chosen, &model("/m/x"));
    check_script(
        "if false; then vllm serve /a; elif true; then vllm serve /b; else vllm serve /c; fi",
        &model("/b"),
    );
}

#[test]
fn a_variable_of_a_script_reaches_the_engine_if_it_is_exported() {
    let exceeds = |script: &str| {
        let mut service = service("acme/vllm-base", &[script]);
        service.entrypoint = Some(spanned(&["/bin/bash", "-c"]));
        invocation(&service).unwrap().exceeds_context
    };
    for script in [
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 vllm serve /m",
        "env VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 vllm serve /m",
        "export VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; vllm serve /m",
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; export VLLM_ALLOW_LONG_MAX_MODEL_LEN; vllm serve /m",
        "set -a; VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; set +a; vllm serve /m",
        "declare -x VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; vllm serve /m",
    ] {
        assert!(exceeds(script), "{script}");
    }
    for script in [
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; vllm serve /m",
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 true; vllm serve /m",
        "export VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; unset VLLM_ALLOW_LONG_MAX_MODEL_LEN; vllm serve /m",
    ] {
        assert!(!exceeds(script), "{script}");
    }
}
