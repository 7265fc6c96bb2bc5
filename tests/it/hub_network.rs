//! How a hub is reached: proxies, those who are reached without one, and what is no address at all.

use std::path::Path;
use std::process::Command;

use fake_hub::{FakeHub, Origin};

use crate::hf_interop;
use crate::hub_stack::{check, hub, stack};

/// Whether requests to the hub and to its store of files came as to a proxy, which is the hub too.
fn proxied(hub: &FakeHub, variables: &[(&str, &str)]) -> (bool, bool) {
    let sandbox = stack(hub).variable("HTTP_PROXY", hub.url());
    let set = |sandbox: crate::sandbox::Sandbox, (name, value): &(&str, &str)| {
        sandbox.variable(name, *value)
    };
    let before = hub.requests().len();
    let run = variables.iter().fold(sandbox, set).run(&["fetch", "--lane", "reader"]);
    check(&run, 0, &["ready: 1 of 1 lane"]);
    let requests = hub.requests().split_off(before);
    let all_of = |origin| {
        let mut of_origin = requests.iter().filter(|request| request.origin == origin);
        let first = of_origin.next().unwrap().proxied;
        assert!(of_origin.all(|request| request.proxied == first), "{variables:?}");
        first
    };
    (all_of(Origin::Hub), all_of(Origin::Cdn))
}

/// The same of the genuine `hf`, as its session asks; absent where there is none.
fn proxied_by_hf(hub: &FakeHub, variables: &[(&str, &str)]) -> Option<(bool, bool)> {
    let python = Path::new(&hf_interop::hf()?).with_file_name("python");
    let ask = "import sys; from huggingface_hub.utils import get_session as session\n\
               for url in sys.argv[1:]: session().get(url)";
    let before = hub.requests().len();
    let mut command = Command::new(python);
    command.args(["-c", ask, &format!("{}/api/whoami-v2", hub.url()), &hub.cdn_url()]);
    command.env_clear().env("HTTP_PROXY", hub.url()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let requests = hub.requests().split_off(before);
    assert_eq!(requests.len(), 2, "{requests:?}");
    Some((requests[0].proxied, requests[1].proxied))
}

#[test]
fn who_is_reached_without_a_proxy_is_whom_hf_reaches_without_one() {
    let hub = hub(&[]);
    let port = |url: String| url.rsplit(':').next().unwrap().to_owned();
    let (hub_port, cdn_port) = (port(hub.url()), port(hub.cdn_url()));
    let ports = |host: &str| (format!("{host}:{hub_port}"), format!("{host}:{cdn_port}"));
    let (own, store) = ports("127.0.0.1");
    let both = format!("{own}, {store}");
    for (no_proxy, expected) in [
        ("", (true, true)),
        ("*", (false, false)),
        ("hub.example,*", (false, false)),
        ("127.0.0.1", (false, false)),
        ("hub.example", (true, true)),
        (own.as_str(), (false, true)),
        (store.as_str(), (true, false)),
        (both.as_str(), (false, false)),
    ] {
        for name in ["NO_PROXY", "no_proxy"] {
            let variables = [(name, no_proxy)];
            assert_eq!(proxied(&hub, &variables), expected, "{name}={no_proxy}");
            if let Some(by_hf) = proxied_by_hf(&hub, &variables) {
                assert_eq!(by_hf, expected, "{name}={no_proxy}, hf");
            }
        }
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_a_mistake_of_the_command_line() {
    for (endpoint, meant) in [
        ("hf-mirror.example", "HF_ENDPOINT=https://hf-mirror.example"),
        ("hf-mirror.example:8443/hub/", "HF_ENDPOINT=https://hf-mirror.example:8443/hub"),
        ("user:secret-of-the-user@hf-mirror.example", "HF_ENDPOINT=https://hf-mirror.example"),
    ] {
        let run = stack(&hub(&[])).variable("HF_ENDPOINT", endpoint).run(&["fetch"]);
        let hint = format!("hint: `{meant}`");
        check(&run, 2, &["error: `HF_ENDPOINT` is `", "begins with `https://`", &hint]);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("secret-of"), "{}", run.stderr);
    }
}

#[test]
fn a_store_of_files_that_cannot_be_reached_is_named_and_not_the_hub() {
    let gone = hub(&[]).url();
    let hub = crate::hub_stack::builder().cdn_url(&gone).start().unwrap();
    let run = stack(&hub).run(&["fetch", "--lane", "reader"]);
    let said = format!("`{gone}` cannot be reached");
    check(&run, 13, &["error[hub-unreachable]", &said]);
}
