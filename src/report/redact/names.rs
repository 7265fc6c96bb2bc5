//! What a name says of its value: whether that is a secret.

/// What the value of something that has a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// No secret.
    Open,
    /// A secret, unless it is a path or a switch: `SSL_KEY=/run/key`, `WEBUI_AUTH=false`.
    Guarded,
    /// A secret.
    Secret,
}

/// Words that make a secret of what they are a word of the name of.
const SECRETS: [&str; 23] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apikeys",
    "apitoken",
    "authkey",
    "authtoken",
    "connectionstring",
    "cookie",
    "hft",
    "hftoken",
    "jwt",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "passwort",
    "privatekey",
    "salt",
    "secret",
    "secretkey",
    "secrets",
];

/// How words end that begin with what the secret is of: `PGPASSWORD`, `NGROKTOKEN`.
const ENDINGS: [&str; 6] = ["apikey", "passphrase", "passwd", "password", "secret", "token"];

/// Words behind which `key` is one that opens something.
const KEY_OF: [&str; 20] = [
    "access",
    "account",
    "admin",
    "anthropic",
    "api",
    "auth",
    "client",
    "encryption",
    "hf",
    "license",
    "master",
    "openai",
    "private",
    "secret",
    "service",
    "shared",
    "signing",
    "ssh",
    "storage",
    "webhook",
];

/// Words beside which several `tokens` are not those of a text.
const TOKENS_OF: [&str; 7] = ["access", "api", "auth", "bearer", "hf", "refresh", "secret"];

/// Words beside which a `token` is one of a text.
const TEXT: [&str; 41] = [
    "audio",
    "begin",
    "bos",
    "cls",
    "context",
    "decoder",
    "end",
    "eog",
    "eom",
    "eos",
    "eot",
    "fim",
    "first",
    "generated",
    "image",
    "input",
    "last",
    "mask",
    "max",
    "min",
    "n",
    "new",
    "next",
    "nl",
    "num",
    "output",
    "pad",
    "per",
    "prefix",
    "prompt",
    "sep",
    "special",
    "start",
    "stop",
    "suffix",
    "think",
    "total",
    "unk",
    "video",
    "vision",
    "vocab",
];

/// Last words of names whose values say something about a secret and are none.
const ABOUT: [&str; 45] = [
    "algorithm",
    "budget",
    "count",
    "dir",
    "directory",
    "disabled",
    "embedding",
    "enabled",
    "endpoint",
    "env",
    "file",
    "files",
    "folder",
    "format",
    "host",
    "hostname",
    "len",
    "length",
    "limit",
    "max",
    "method",
    "min",
    "mode",
    "name",
    "names",
    "path",
    "paths",
    "policy",
    "port",
    "provider",
    "rate",
    "ratio",
    "realm",
    "required",
    "scheme",
    "size",
    "strategy",
    "through",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "username",
    "version",
];

/// What the value of a variable, a flag, a header or a key called `name` is. Linear in the name.
#[must_use]
pub fn secrecy(name: &str) -> Secrecy {
    let words = words(name);
    let Some(last) = words.last().map(String::as_str) else { return Secrecy::Open };
    let has = |word: &str| words.iter().any(|it| it == word);
    let has_any = |listed: &[&str]| words.iter().any(|it| listed.contains(&it.as_str()));
    if ABOUT.contains(&last) || matches!(last, "id" | "ids") && !has("secret") {
        return Secrecy::Open;
    }
    let is_joined = words.iter().any(|word| ENDINGS.iter().any(|end| word.ends_with(end)));
    let is_token = is_joined && !has_any(&TEXT);
    let are_tokens = has("tokens") && has_any(&TOKENS_OF);
    let is_pass = has("pass") || has("pwd") && words.len() > 1;
    if has_any(&SECRETS) || is_token || are_tokens || is_pass {
        return Secrecy::Secret;
    }
    let is_variable = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_key = matches!(last, "key" | "keys") && !has("public");
    if is_key && has_any(&KEY_OF) {
        return Secrecy::Secret;
    }
    let guarded = ["auth", "credential", "credentials", "pwd"];
    if is_key && is_variable || has_any(&guarded) {
        return Secrecy::Guarded;
    }
    Secrecy::Open
}

/// Whether `value` of something called `name` is a secret.
#[must_use]
pub fn hides(name: &str, value: &str) -> bool {
    match secrecy(name) {
        Secrecy::Open => false,
        Secrecy::Guarded => !is_path_or_switch(value),
        Secrecy::Secret => true,
    }
}

/// Whether a value of something that is [`Secrecy::Guarded`] is none to be hidden.
pub(super) fn is_path_or_switch(value: &str) -> bool {
    let is_path = ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start));
    let switches = ["", "true", "false", "yes", "no", "on", "off", "null", "none", "0", "1", "~"];
    is_path || value.len() < 6 && switches.contains(&value.to_ascii_lowercase().as_str())
}

/// Whether a name is one lower-case word, which sentences use as well.
pub(super) fn is_of_prose(name: &str) -> bool {
    let rest = name.strip_prefix(|first: char| first.is_ascii_alphabetic()).unwrap_or("");
    rest.bytes().all(|byte| byte.is_ascii_lowercase()) && !name.starts_with("passw")
}

/// The words of a name, in lower case and without numbers at their ends: `HF_TOKEN`, `x-api-key`,
/// `apiKey`, `password2`.
fn words(name: &str) -> Vec<String> {
    let bytes = name.as_bytes();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, character) in name.char_indices() {
        let next = bytes.get(at + 1).copied();
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let begins = character.is_ascii_uppercase()
            && before.is_some_and(|before| {
                !before.is_ascii_uppercase() || next.is_some_and(|next| next.is_ascii_lowercase())
            });
        if begins || !character.is_ascii_alphanumeric() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
        }
    }
    words.push(word);
    let stems = words.iter().map(|word| word.trim_end_matches(|it: char| it.is_ascii_digit()));
    stems.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_by_their_words() {
        for name in [
            "PGPASSWORD",
            "NGROKTOKEN",
            "HF_TOKEN",
            "--api_key",
            "--api-keys",
            "--password",
            "--ssl-keyfile-password",
            "apiKey",
            "--auth-token",
            "hfToken",
            "X-Api-Key",
            "DB_PASS",
            "PASS",
            "MYSQL_PWD",
            "SALT",
            "PASSWD",
            "PASSWORD_SALT",
            "Password",
            "password2",
            "spring.datasource.password",
            "AUTH_TOKENS",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "NGROK_AUTHTOKEN",
            "VAULT_SECRET_ID",
            "openai_api_key",
            "-hft",
            "LITELLM_MASTER_KEY",
            "GITHUB_TOKEN_2",
        ] {
            assert_eq!(secrecy(name), Secrecy::Secret, "{name}");
        }
        for name in ["REDIS_AUTH", "PWD", "SSL_KEY", "auth", "AUTH"] {
            assert_eq!(secrecy(name), Secrecy::Guarded, "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_those_of_secrets_are_open() {
        for name in [
            "PATH",
            "AUTHOR",
            "COMPASS",
            "PASSTHROUGH",
            "PASS_THROUGH",
            "MAX_TOKENS",
            "max_tokens",
            "--tokenizer",
            "TOKENIZERS_PARALLELISM",
            "--max-num-batched-tokens",
            "HF_TOKEN_PATH",
            "--ssl-keyfile",
            "--api-key-file",
            "--api-key-path",
            "eos_token",
            "pad_token_id",
            "MAX_BATCH_TOKEN",
            "cache_key",
            "--override-kv",
            "SSH_PUBLIC_KEY",
            "KEYBOARD",
            "MONKEY",
            "AUTH_TYPE",
            "OLDPWD",
            "BASALT",
            "secret_name",
            "hf_transfer",
            "",
            "-",
            "HASH",
            "SIGNAL",
        ] {
            assert_eq!(secrecy(name), Secrecy::Open, "{name}");
        }
    }
}
