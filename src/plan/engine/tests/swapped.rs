//! What llama-swap starts, told by its file.

use super::*;

const IMAGE: &str = "ghcr.io/mostlygeek/llama-swap:cuda";

fn with_file(command: &[&str], path: &str, text: &str) -> Service {
    let mut service = service(IMAGE, command);
    service.texts.insert(ServicePath::new(path), text.to_owned().into());
    service
}

#[test]
fn llama_swap_opens_what_the_commands_of_its_models_open() {
    assert_eq!(unseen_text(&service(IMAGE, &[])), Some(ServicePath::new("/app/config.yaml")));
    let text = "\
macros: {server: '/app/llama-server --port ${PORT}'}
models:
  small:
    cmd: ${server} -m /models/small.gguf --mmproj /models/p.gguf
  hub:
    cmd: |
      ${server}
      # from the hub
      -hf o/r:Q8_0
";
    let read = with_file(&[], "/app/config.yaml", text);
    assert_eq!(unseen_text(&read), None);
    let opened = "model=/models/small.gguf | model=o/r:Q8_0 | mmproj=/models/p.gguf";
    assert_eq!(shown(&read), format!("llama-swap | {opened} | name=small | name=hub"));
}

#[test]
fn what_llama_swap_starts_besides_is_not_known() {
    let text = "models:\n  image:\n    cmd: /app/sd-server --port 9 -m /models/sd.gguf\n";
    let read = with_file(&["-config", "/c.yaml", "-listen", ":9292"], "/c.yaml", text);
    let mut read = read;
    read.entrypoint = Some(spanned(&["/app/llama-swap"]));
    let unread = "unread: what `/app/sd-server` starts for `image` is not read";
    assert_eq!(shown(&read), format!("llama-swap | name=image | port=9292 | {unread}"));
}

#[test]
fn a_command_of_llama_swap_is_held_against_the_flags_of_llama_server() {
    let text = "models:\n  a:\n    cmd: llama-server -m /m.gguf --no-such-flag\n";
    let complaints = invocation(&with_file(&[], "/app/config.yaml", text)).unwrap().complaints;
    assert!(
        matches!(&complaints[0].value, Complaint::UnknownFlag(it) if it.flag == "--no-such-flag")
    );
}
