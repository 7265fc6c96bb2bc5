//! `fake-hub --root DIR`: serves `DIR/owner/repo/...` until SIGTERM or SIGINT.

#![forbid(unsafe_code)]

use std::net::ToSocketAddrs as _;
use std::process::ExitCode;

use fake_hub::{FakeHub, Origin, Request, SentOn};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const USAGE: &str = "usage: fake-hub --root DIR [--listen ADDR:PORT] [--cdn-listen ADDR:PORT]
                [--public-url URL] [--cdn-url URL] [--require-token TOKEN] [--token TOKEN] [--page N]
                [--renamed BEFORE=NOW] [--sends-on URL] [--sends-files-on URL]
                [--fault KIND[=ARGUMENT][*TIMES]:TARGET]...

Prints the hub's URL, then a line for each request: origin, method, path, range, status, and
whether a token came with it. A target is `owner/repo/path`, `owner/repo` or `all`.";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("fake-hub: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    // Installed before anything else: as process 1 there is no default handler.
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| error.to_string())?;
    let mut builder = FakeHub::builder().observer(print_request);
    let mut has_root = false;
    while let Some(flag) = arguments.next() {
        if flag == "--help" || flag == "-h" {
            println!("{USAGE}");
            return Ok(());
        }
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (flag, arguments.next()),
        };
        let value = value.ok_or_else(|| format!("`{flag}` needs a value\n{USAGE}"))?;
        builder = match flag.as_str() {
            "--root" => {
                has_root = true;
                builder.folder(value)
            }
            "--listen" => builder.listen(address(&value)?),
            "--cdn-listen" => builder.cdn_listen(address(&value)?),
            "--public-url" => builder.public_url(&value),
            "--cdn-url" => builder.cdn_url(&value),
            "--require-token" => builder.require_token(&value),
            "--token" => builder.token(&value),
            "--page" => builder.page(value.parse().map_err(|_| format!("`{value}` is no number"))?),
            "--renamed" => {
                let (before, now) =
                    value.split_once('=').ok_or_else(|| format!("`{value}` is not BEFORE=NOW"))?;
                builder.renamed(before, now)
            }
            "--sends-on" => builder.sends_on(&value, SentOn::Everything),
            "--sends-files-on" => builder.sends_on(&value, SentOn::Files),
            "--fault" => builder.fault(value.parse().map_err(|error| format!("{error}"))?),
            _ => return Err(format!("unknown flag `{flag}`\n{USAGE}")),
        };
    }
    if !has_root {
        return Err(format!("`--root` is missing\n{USAGE}"));
    }
    let hub = builder.start().map_err(|error| error.to_string())?;
    println!("{}", hub.url());
    signals.forever().next();
    drop(hub);
    Ok(())
}

fn address(text: &str) -> Result<std::net::SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("`{text}`: {error}"))?;
    found.next().ok_or_else(|| format!("`{text}` is no address"))
}

fn print_request(request: &Request) {
    let origin = match request.origin {
        Origin::Hub => "hub",
        Origin::Cdn => "cdn",
    };
    println!(
        "{origin} {} {} range={} status={} token={}",
        request.method,
        request.path.escape_default(),
        request.range.as_deref().unwrap_or("-"),
        request.status,
        if request.authorization.is_some() { "yes" } else { "no" },
    );
}
