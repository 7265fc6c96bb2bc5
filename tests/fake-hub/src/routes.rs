//! What is answered to what.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::SentOn;
use crate::fault::Kind;
use crate::http::{Answer, Head, decode, encode, zipped};
use crate::repository::{File, Repository, pointer};
use crate::server::{FileBody, Reply, Shared, Text};

/// Answers of the hub. The repository is looked up before the token, as the real one seems to.
pub(crate) fn hub(shared: &Shared, head: &Head) -> Reply {
    match route(shared, head).unwrap_or_else(Reply::Text) {
        Reply::Text(Text { answer, body }) => {
            let answer = with_limits(shared, answer);
            let is_api = head.target.contains("/api/models/");
            let zips = |kind| (kind == Kind::Zipped).then_some(());
            if is_api && answer.status == 200 && shared.strike("all", None, zips).is_some() {
                return Reply::Bytes(
                    answer.with("Content-Encoding", "gzip"),
                    zipped(body.as_bytes()),
                );
            }
            Reply::Text(Text { answer, body })
        }
        Reply::Bytes(answer, body) => Reply::Bytes(with_limits(shared, answer), body),
        Reply::File(answer, body) => Reply::File(with_limits(shared, answer), body),
    }
}

/// Every answer says how many requests are left; one that refuses for that reason already has.
fn with_limits(shared: &Shared, answer: Answer) -> Answer {
    if answer.status == 429 {
        return answer;
    }
    let few = shared.strike("all", None, |kind| match kind {
        Kind::Few(left) => Some(format!("\"resolvers\";r={left};t=1")),
        _ => None,
    });
    answer
        .with("RateLimit", few.unwrap_or_else(|| "\"resolvers\";r=2999;t=300".to_owned()))
        .with("RateLimit-Policy", "\"fixed window\";\"resolvers\";q=3000;w=300")
        .with("X-Request-Id", "Root=1-fake")
}

fn route(shared: &Shared, head: &Head) -> Result<Reply, Text> {
    let Some(path) = head.path().strip_prefix(&shared.settings.below) else {
        return Err(error(404, None, "Not Found"));
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if let Some(answer) =
        sent_on(shared, head, path, &parts).or_else(|| renamed(shared, head, &parts))
    {
        return Err(answer);
    }
    match parts.as_slice() {
        ["api", "whoami-v2"] => whoami(shared, head),
        ["api", "models", owner, repo] => info(shared, head, owner, repo, "main"),
        ["api", "models", owner, repo, "revision", revision] => {
            info(shared, head, owner, repo, &decode(revision))
        }
        ["api", "models", owner, repo, "tree", revision, below @ ..] => {
            let asked = open(shared, head, owner, repo, &decode(revision), None)?;
            Ok(tree(shared, head, &asked, &decode(&below.join("/"))))
        }
        ["api", "models", owner, repo, "paths-info", revision] => {
            let asked = open(shared, head, owner, repo, &decode(revision), None)?;
            Ok(paths_info(shared, head, &asked))
        }
        ["api", "resolve-cache", "models", owner, repo, commit, path @ ..] => {
            let path = decode(&path.join("/"));
            let asked = open(shared, head, owner, repo, commit, Some(&path))?;
            let file = asked.file(&path)?;
            let answer = Answer::new(200)
                .with("ETag", format!("\"{}\"", file.blob))
                .with("X-Repo-Commit", &asked.repository.commit);
            let gzip = || {
                shared.strike(&asked.name, Some(&path), |kind| (kind == Kind::Gzip).then_some(()))
            };
            let as_it_is = head.header("accept-encoding").is_some_and(|how| how == "identity");
            if !as_it_is && gzip().is_some() {
                let body = "as if it were compressed".to_owned();
                return Ok(Reply::Text(Text {
                    answer: answer.with("Content-Encoding", "gzip"),
                    body,
                }));
            }
            let zips = |kind| (kind == Kind::Zipped && head.method != "HEAD").then_some(());
            if shared.strike(&asked.name, Some(&path), zips).is_some() {
                let body = zipped(file.content.open(0).map_err(|_| error(500, None, "gone"))?);
                return Ok(Reply::Bytes(answer.with("Content-Encoding", "gzip"), body));
            }
            Ok(file_reply(shared, head, &asked.name, &path, file, answer))
        }
        [owner, repo, "resolve", revision, path @ ..] => {
            let path = decode(&path.join("/"));
            let asked = open(shared, head, owner, repo, &decode(revision), Some(&path))?;
            resolve(shared, head, &asked, &decode(revision), &path)
        }
        _ => Err(error(404, None, "Not Found")),
    }
}

/// A redirect to the hub behind this one.
fn sent_on(shared: &Shared, head: &Head, path: &str, parts: &[&str]) -> Option<Text> {
    let (url, which) = shared.settings.sends_on.as_ref()?;
    let is_file = matches!(parts, [_, _, "resolve", ..]);
    (is_file || *which == SentOn::Everything).then_some(())?;
    let mut sent_on = redirect(307, format!("{url}{path}{}", query(head)));
    // Who lists files itself knows what they hash to.
    if let (SentOn::Files, [owner, repo, _, revision, path @ ..]) = (which, parts) {
        let name = format!("{}/{}", decode(owner), decode(repo));
        let repository = shared.repositories.get(&name)?.at(&decode(revision));
        let file = repository.and_then(|found| found.files.get(&decode(&path.join("/"))));
        let etag = file.map_or("", |file| file.etag());
        sent_on.answer = sent_on.answer.with("X-Linked-ETag", format!("\"{etag}\""));
    }
    Some(sent_on)
}

/// A redirect to what a repository is called now.
fn renamed(shared: &Shared, head: &Head, parts: &[&str]) -> Option<Text> {
    let at = match parts {
        ["api", "models", ..] => 2,
        ["api", "resolve-cache", "models", ..] => 3,
        _ => 0,
    };
    let (owner, repo) = (parts.get(at)?, parts.get(at + 1)?);
    let before = format!("{}/{}", decode(owner), decode(repo));
    let now = shared.settings.renamed.get(&before)?;
    let now = encode(now, true);
    let parts = [&parts[..at], &[now.as_str()], &parts[at + 2..]].concat();
    let location = format!("{}/{}{}", shared.settings.below, parts.join("/"), query(head));
    let absolute = shared.strike(&before, None, |kind| (kind == Kind::Absolute).then_some(()));
    Some(match absolute {
        Some(()) => redirect(308, format!("{}{location}", own_url(shared, head))),
        None => redirect(307, location),
    })
}

fn redirect(status: u16, location: String) -> Text {
    let body = format!("Redirecting to {location}");
    Text { answer: Answer::new(status).with("Location", location), body }
}

fn query(head: &Head) -> String {
    head.target.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default()
}

/// A repository that may be looked at.
struct Asked<'a> {
    name: String,
    repository: &'a Repository,
}

impl Asked<'_> {
    fn file(&self, path: &str) -> Result<&File, Text> {
        self.repository.files.get(path).ok_or_else(|| {
            let Text { answer, body } = error(404, Some("EntryNotFound"), "Entry not found");
            Text { answer: answer.with("X-Repo-Commit", &self.repository.commit), body }
        })
    }
}

/// Token, repository, revision, licence and scripted refusals, in this order.
fn open<'a>(
    shared: &'a Shared,
    head: &Head,
    owner: &str,
    repo: &str,
    revision: &str,
    path: Option<&str>,
) -> Result<Asked<'a>, Text> {
    let name = format!("{}/{}", decode(owner), decode(repo));
    let known = check_token(shared, head)?;
    refuse_as_scripted(shared, &name, path)?;
    let hidden = shared.settings.token_required && !known;
    let Some(repository) = shared.repositories.get(&name).filter(|_| !hidden) else {
        return Err(if known {
            error(404, Some("RepoNotFound"), "Repository not found")
        } else {
            error(401, None, "Invalid username or password.")
        });
    };
    let Some(repository) = repository.at(revision) else {
        return Err(error(404, Some("RevisionNotFound"), &format!("Invalid rev id: {revision}")));
    };
    if path.is_some() {
        let refusal = shared.strike(&name, path, |kind| match kind {
            Kind::Gated if !known => Some((401, "must be authenticated to access it.")),
            Kind::Denied if !known => Some((401, "must be authenticated to access it.")),
            Kind::Denied => Some((403, "you are not in the authorized list.")),
            _ => None,
        });
        if let Some((status, why)) = refusal {
            let text = format!("Access to model {name} is restricted and {why}");
            return Err(error(status, Some("GatedRepo"), &text));
        }
    }
    Ok(Asked { name, repository })
}

/// Whether the request carries a valid token.
fn check_token(shared: &Shared, head: &Head) -> Result<bool, Text> {
    let Some(sent) = head.header("authorization") else { return Ok(false) };
    let sent = sent.strip_prefix("Bearer ").unwrap_or_default();
    if sent.is_empty() || shared.settings.token.as_ref().is_some_and(|token| token != sent) {
        return Err(error(401, None, "Invalid credentials in Authorization header"));
    }
    Ok(true)
}

fn refuse_as_scripted(shared: &Shared, name: &str, path: Option<&str>) -> Result<(), Text> {
    let refusal = shared.strike(name, path, |kind| match kind {
        Kind::Status(status) => Some(error(status, None, "scripted")),
        Kind::RateLimit(seconds) => Some(rate_limited(seconds)),
        Kind::RetryDate(seconds) => Some(come_back_at(seconds)),
        _ => None,
    });
    refusal.map_or(Ok(()), Err)
}

fn rate_limited(seconds: Option<u64>) -> Text {
    let answer = Answer::new(429).with("Content-Type", "application/json");
    let answer = match seconds {
        Some(seconds) => answer
            .with("RateLimit", format!("\"resolvers\";r=0;t={seconds}"))
            .with("Retry-After", seconds),
        None => answer,
    };
    Text { answer, body: json!({"error": "Too Many Requests"}).to_string() }
}

fn come_back_at(seconds: u64) -> Text {
    let at = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    let answer = Answer::new(429).with("Retry-After", at);
    Text { answer, body: "Too Many Requests".to_owned() }
}

fn error(status: u16, code: Option<&str>, message: &str) -> Text {
    let mut answer = Answer::new(status)
        .with("Content-Type", "application/json")
        .with("X-Error-Message", message);
    if let Some(code) = code {
        answer = answer.with("X-Error-Code", code);
    }
    Text { answer, body: json!({"error": message}).to_string() }
}

fn whoami(shared: &Shared, head: &Head) -> Result<Reply, Text> {
    if !check_token(shared, head)? {
        return Err(error(401, None, "Invalid username or password."));
    }
    let user = json!({"type": "user", "name": "fake", "auth": {"type": "access_token"}});
    Ok(json_reply(&user))
}

fn info(
    shared: &Shared,
    head: &Head,
    owner: &str,
    repo: &str,
    revision: &str,
) -> Result<Reply, Text> {
    let asked = open(shared, head, owner, repo, revision, None)?;
    let siblings: Vec<Value> =
        asked.repository.files.keys().map(|path| json!({"rfilename": path})).collect();
    Ok(json_reply(&json!({
        "_id": "000000000000000000000000",
        "id": asked.name,
        "modelId": asked.name,
        "author": decode(owner),
        "sha": asked.repository.commit,
        "lastModified": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "private": shared.settings.token_required,
        "gated": false,
        "disabled": false,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": siblings,
    })))
}

fn tree(shared: &Shared, head: &Head, asked: &Asked<'_>, below: &str) -> Reply {
    let recursive = head.query("recursive").is_some_and(|value| value == "true" || value == "1");
    let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
    let mut entries = std::collections::BTreeMap::new();
    for (path, file) in &asked.repository.files {
        let Some(rest) = path.strip_prefix(&prefix) else { continue };
        let slashes = rest.match_indices('/').map(|(index, _)| index).filter(|index| *index > 0);
        for folder in slashes.map(|index| &path[..prefix.len() + index]) {
            entries.entry(folder.to_owned()).or_insert_with(|| directory(folder));
        }
        if recursive || !rest.contains('/') {
            entries.insert(path.clone(), entry(shared, &asked.name, path, file));
        }
    }
    if !recursive {
        entries.retain(|path, _| !path[prefix.len()..].contains('/'));
    }
    let start = head.query("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
    let end = start.saturating_add(shared.settings.page);
    let more = end < entries.len();
    let page = entries.into_values().skip(start).take(shared.settings.page).collect();
    let Text { mut answer, body } = json_text(&Value::Array(page));
    if more {
        let next =
            format!("{}{}?recursive={recursive}&cursor={end}", own_url(shared, head), head.path());
        answer = answer.with("Link", format!("<{next}>; rel=\"next\""));
    }
    Reply::Text(Text { answer, body })
}

fn paths_info(shared: &Shared, head: &Head, asked: &Asked<'_>) -> Reply {
    let body: Value = serde_json::from_slice(&head.body).unwrap_or_default();
    let paths = body["paths"].as_array().cloned().unwrap_or_default();
    let found = paths.iter().filter_map(Value::as_str).filter_map(|path| {
        let file = asked.repository.files.get(path)?;
        Some(entry(shared, &asked.name, path, file))
    });
    json_reply(&Value::Array(found.collect()))
}

fn directory(path: &str) -> Value {
    json!({"type": "directory", "oid": "0".repeat(40), "size": 0, "path": path})
}

fn entry(shared: &Shared, name: &str, path: &str, file: &File) -> Value {
    let size = stated_size(shared, name, path, file);
    let mut entry = json!({"type": "file", "oid": file.blob, "size": size, "path": path});
    let strikes = |wanted| {
        let strike = |kind| (kind == wanted).then_some(());
        shared.strike(name, Some(path), strike).is_some()
    };
    if strikes(Kind::NoOid) {
        entry["oid"] = Value::Null;
        return entry;
    }
    if let Some(sha256) = &file.sha256 {
        let pointer_size = pointer(sha256, file.size).len();
        if strikes(Kind::NoLfs) {
            entry["size"] = json!(pointer_size);
            return entry;
        }
        entry["lfs"] = json!({"oid": sha256, "size": size, "pointerSize": pointer_size});
        entry["xetHash"] = json!(file.chunk_hash());
    }
    entry
}

fn stated_size(shared: &Shared, name: &str, path: &str, file: &File) -> u64 {
    let wrong = shared.strike(name, Some(path), |kind| (kind == Kind::WrongSize).then_some(1));
    file.size + wrong.unwrap_or(0)
}

fn resolve(
    shared: &Shared,
    head: &Head,
    asked: &Asked<'_>,
    revision: &str,
    path: &str,
) -> Result<Reply, Text> {
    let file = asked.file(path)?;
    let name = &asked.name;
    if shared.strike(name, Some(path), |kind| (kind == Kind::Gone).then_some(())).is_some() {
        return Err(error(404, Some("EntryNotFound"), "Entry not found"));
    }
    let (id, commit) = (encode(name, true), &asked.repository.commit);
    let encoded = encode(path, true);
    let linked = |status: u16| {
        Answer::new(status)
            .with("X-Repo-Commit", commit)
            .with("X-Linked-Size", stated_size(shared, name, path, file))
            .with("X-Linked-ETag", format!("\"{}\"", file.etag()))
            .with("Content-Type", "text/plain")
    };
    let (answer, location) = if file.sha256.is_some() {
        let location = format!(
            "{}/{commit}/{id}/{encoded}?Expires={}&Signature=fake",
            cdn_url(shared, head),
            shared.redirect()
        );
        (linked(302).with("X-Xet-Hash", file.chunk_hash()), location)
    } else {
        let original = encode(&format!("/{name}/resolve/{revision}/{path}"), false);
        let location = format!(
            "{}/api/resolve-cache/models/{id}/{commit}/{encoded}?{original}=&etag=%22{}%22",
            shared.settings.below, file.blob
        );
        let absolute =
            shared.strike(name, Some(path), |kind| (kind == Kind::Absolute).then_some(()));
        match absolute {
            Some(()) => (linked(308), format!("{}{location}", own_url(shared, head))),
            None => (linked(307), location),
        }
    };
    let text = format!("Redirecting to {location}");
    Ok(Reply::Text(Text { answer: answer.with("Location", location), body: text }))
}

/// Answers of the CDN: it knows paths and nothing about repositories, tokens or revisions.
pub(crate) fn cdn(shared: &Shared, head: &Head) -> Reply {
    let parts: Vec<&str> = head.path().trim_matches('/').split('/').collect();
    let [commit, owner, repo, path @ ..] = parts.as_slice() else {
        return Reply::Text(error(404, None, "no such object"));
    };
    let (name, path) = (format!("{}/{}", decode(owner), decode(repo)), decode(&path.join("/")));
    let repository = shared.repositories.get(&name).and_then(|found| found.at(commit));
    let Some(file) = repository.and_then(|found| found.files.get(&path)) else {
        return Reply::Text(error(404, None, "no such object"));
    };
    let strike = |select: fn(Kind) -> Option<u64>| shared.strike(&name, Some(&path), select);
    let scripted =
        strike(|kind| if let Kind::CdnStatus(it) = kind { Some(it.into()) } else { None });
    let limit = strike(|kind| if let Kind::Crowded(limit) = kind { Some(limit) } else { None });
    let uses = strike(|kind| if let Kind::Expires(uses) = kind { Some(uses) } else { None });
    let crowded = limit.is_some_and(|limit| shared.is_crowded(limit));
    let expired = uses.is_some_and(|uses| shared.use_of(&head.target) > uses);
    let whole = head.range(file.size).is_none();
    let too_large = strike(|kind| (kind == Kind::RangesOnly).then_some(400)).filter(|_| whole);
    let refused = (crowded || expired).then_some(403);
    let scripted = scripted.or(too_large).and_then(|status| u16::try_from(status).ok());
    let status = scripted.or(refused);
    if let Some(status) = status {
        let body = "<Error>scripted</Error>".to_owned();
        return Reply::Text(Text { answer: Answer::new(status), body });
    }
    let other = shared
        .strike(&name, Some(&path), |kind| (kind == Kind::OtherContent).then_some(()))
        .is_some();
    let etag = if other { "0".repeat(64) } else { file.chunk_hash() };
    let answer = Answer::new(200).with("ETag", format!("\"{etag}\""));
    match file_reply(shared, head, &name, &path, file, answer) {
        Reply::File(answer, body) => Reply::File(answer, FileBody { other, ..body }),
        reply => reply,
    }
}

fn file_reply(
    shared: &Shared,
    head: &Head,
    name: &str,
    path: &str,
    file: &File,
    mut answer: Answer,
) -> Reply {
    let mut range = head.range(file.size);
    let mut short = 0;
    let concerned = Some(path);
    if range.is_some() {
        let ignored = |kind| (kind == Kind::IgnoreRange).then_some(());
        range = range.filter(|_| shared.strike(name, concerned, ignored).is_none());
    }
    let (start, mut length) = match range {
        None => (0, file.size),
        Some(Some((start, length))) => {
            answer.status = 206;
            let last = start + length - 1;
            match strike_silent(shared, name, path) {
                Some(bytes) => short = bytes,
                None => {
                    let range = format!("bytes {start}-{last}/{}", file.size);
                    answer = answer.with("Content-Range", range);
                }
            }
            (start, length)
        }
        Some(None) => {
            let refused = Answer::new(416).with("Content-Range", format!("bytes */{}", file.size));
            return Reply::Text(Text { answer: refused, body: String::new() });
        }
    };
    length = length.saturating_sub(short);
    answer = answer.with("Accept-Ranges", "bytes").with("Content-Type", "application/octet-stream");
    // A request without a body uses no fault of the body up.
    let sends = head.method != "HEAD";
    let strike = |select: fn(Kind) -> Option<u64>| {
        sends.then(|| shared.strike(name, concerned, select)).flatten()
    };
    let middle = file.size / 2;
    let has_middle = (start..start + length).contains(&middle);
    let body = FileBody {
        content: file.content.clone(),
        start,
        length,
        other: false,
        corrupt: has_middle
            .then(|| strike(|kind| (kind == Kind::Corrupt).then_some(0)).map(|_| middle))
            .flatten(),
        cut: strike(|kind| if let Kind::Cut(at) = kind { Some(at) } else { None }),
        stall: strike(|kind| if let Kind::Stall(at) = kind { Some(at) } else { None }),
        rate: strike(|kind| if let Kind::Slow(rate) = kind { Some(rate) } else { None }),
    };
    Reply::File(answer, body)
}

/// How much shorter than asked for a range is that does not say which one it is.
fn strike_silent(shared: &Shared, name: &str, path: &str) -> Option<u64> {
    shared.strike(name, Some(path), |kind| match kind {
        Kind::NoContentRange(short) => Some(short),
        _ => None,
    })
}

fn json_reply(value: &Value) -> Reply {
    Reply::Text(json_text(value))
}

fn json_text(value: &Value) -> Text {
    let answer = Answer::new(200).with("Content-Type", "application/json; charset=utf-8");
    Text { answer, body: value.to_string() }
}

/// How the client knows the hub.
fn own_url(shared: &Shared, head: &Head) -> String {
    let by_host = || format!("http://{}", head.header("host").unwrap_or("localhost"));
    shared.settings.public_url.clone().unwrap_or_else(by_host)
}

/// The same host as the hub, another port, unless another server stands for the CDN.
fn cdn_url(shared: &Shared, head: &Head) -> String {
    if let Some(url) = &shared.settings.cdn_url {
        return url.clone();
    }
    let own = own_url(shared, head);
    let (scheme, rest) = own.split_once("://").unwrap_or(("http", &own));
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    format!("{scheme}://{host}:{}", shared.cdn_port)
}
