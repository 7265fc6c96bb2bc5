use std::time::Duration;

use proptest::prelude::*;

use super::*;

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyz012345";

fn check(text: &str, expected: &str) {
    let redactor = Redactor::new(["sekrit-of-this-run", "", "ab"]);
    let redacted = redactor.redact(text);
    assert_eq!(redacted, expected, "{text}");
    assert_eq!(redactor.redact(&redacted), expected, "redacting twice changes nothing");
}

#[test]
fn a_known_secret_is_hidden_wherever_it_stands() {
    check("x sekrit-of-this-run.", "x ***.");
    check("sekrit-of-this-runsekrit-of-this-run", "***");
}

#[test]
fn secrets_too_short_to_be_secrets_are_ignored() {
    check("about a cab", "about a cab");
}

#[test]
fn every_line_of_a_secret_is_one() {
    let redactor = Redactor::new(["-----BEGIN-----\nabcdefgh\n"]);
    assert_eq!(redactor.redact("found abcdefgh in a log"), "found *** in a log");
}

#[test]
fn a_hub_token_is_known_by_its_shape() {
    check(&format!("token {TOKEN}, gone"), "token hf_***, gone");
    check(
        "hf_short and hf_hub_download_something_long",
        "hf_short and hf_hub_download_something_long",
    );
}

#[test]
fn the_value_of_a_flag_is_hidden_however_it_is_written() {
    for (text, expected) in [
        ("vllm serve x --api-key abc --port 80", "vllm serve x --api-key *** --port 80"),
        ("--hf-token=abc", "--hf-token=***"),
        (r#"["--api-key", "abc def", "-c"]"#, r#"["--api-key", "***", "-c"]"#),
        ("[--api-key, abc, -c, 5]", "[--api-key, ***, -c, 5]"),
        ("[--api-key, ${KEY}]", "[--api-key, ${KEY}]"),
        ("[-hft, abc]", "[-hft, ***]"),
        ("- --api-key\n- abc\n- --port", "- --api-key\n- ***\n- --port"),
        (r#"{\"--api-key\",\"abc\"}"#, r#"{\"--api-key\",\"***\"}"#),
        ("--api-key a,b c", "--api-key *** c"),
        ("--api-key ${KEY} x", "--api-key ${KEY} x"),
        ("--api-key ${KEY:-abc} x", "--api-key *** x"),
        ("--api-key --port 80", "--api-key --port 80"),
        ("--api-key-file /run/key", "--api-key-file /run/key"),
        ("`--api-key` is set", "`--api-key` is set"),
        ("--api-key", "--api-key"),
    ] {
        check(text, expected);
    }
}

#[test]
fn the_value_of_a_variable_with_a_telling_name_is_hidden() {
    for (text, expected) in [
        ("HF_TOKEN=abc def", "HF_TOKEN=***"),
        ("  - VLLM_API_KEY=abc", "  - VLLM_API_KEY=***"),
        ("      HF_TOKEN: \"abc\"", "      HF_TOKEN: \"***\""),
        ("{HF_TOKEN: abc, PORT: 80}", "{HF_TOKEN: ***, PORT: 80}"),
        ("HF_TOKEN: ${HF_TOKEN}", "HF_TOKEN: ${HF_TOKEN}"),
        ("HF_TOKEN: ${HF_TOKEN:-}", "HF_TOKEN: ${HF_TOKEN:-}"),
        ("HF_TOKEN: ${HF_TOKEN:?set it}", "HF_TOKEN: ${HF_TOKEN:?set it}"),
        ("HF_TOKEN: ${HF_TOKEN:-abc}", "HF_TOKEN: ***"),
        ("HF_TOKEN: ${A:?}abc${B}", "HF_TOKEN: ***"),
        ("image: x:${MY_SECRET:-abc}", "image: x:${MY_SECRET:-***}"),
        ("image: x:${MY_SECRET-}", "image: x:${MY_SECRET-}"),
        ("give it a default: `${HF_TOKEN:-...}`", "give it a default: `${HF_TOKEN:-...}`"),
        ("write `HF_TOKEN: ${HF_TOKEN:-...}`", "write `HF_TOKEN: ${HF_TOKEN:-...}`"),
        ("write `HF_TOKEN=...` into `.env`", "write `HF_TOKEN=...` into `.env`"),
        ("`--api-key ${KEY:-...}`", "`--api-key ${KEY:-...}`"),
        (
            "`$HF_TOKEN`, `$$HF_TOKEN` and `${HF_TOKEN:?set it}`",
            "`$HF_TOKEN`, `$$HF_TOKEN` and `${HF_TOKEN:?set it}`",
        ),
        ("HF_TOKEN: $", "HF_TOKEN: ***"),
        ("HF_TOKEN_PATH=/run/t", "HF_TOKEN_PATH=/run/t"),
        ("MAX_TOKENS=5", "MAX_TOKENS=5"),
        ("set HF_TOKEN to a token", "set HF_TOKEN to a token"),
    ] {
        check(text, expected);
    }
}

#[test]
fn passwords_headers_and_signed_urls_are_hidden() {
    for (text, expected) in [
        ("http://me:pa@ss@proxy:3128/x", "http://me:***@proxy:3128/x"),
        ("https://0123456789abcdef@host/x", "https://***@host/x"),
        ("https://me@host/x", "https://me@host/x"),
        ("https://host/a@b:c", "https://host/a@b:c"),
        ("http://${U}:${P}@proxy", "http://${U}:${P}@proxy"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        (r#""authorization": "Basic abc=""#, r#""authorization": "Basic ***""#),
        ("AUTHORIZATION=abc", "AUTHORIZATION=***"),
        ("sent bearer 0123456789abcdef.x", "sent bearer ***"),
        ("a bearer of news", "a bearer of news"),
        ("https://h/f?a=1&X-Amz-Signature=00ff&b=2", "https://h/f?a=1&X-Amz-Signature=***&b=2"),
    ] {
        check(text, expected);
    }
}

#[test]
fn the_password_of_a_mount_is_hidden() {
    for (text, expected) in [
        (
            r#"o: "addr=nas,username=me,password=p@ss:w/rd,vers=3.0""#,
            r#"o: "addr=nas,username=me,password=***,vers=3.0""#,
        ),
        ("o: password=abc", "o: password=***"),
        (r#"o: 'username=me,password=a"b`c,uid=0'"#, "o: 'username=me,password=***,uid=0'"),
        ("      o: 'pass=abc'", "      o: 'pass=***'"),
        ("data: password=abc,password2=def: refused", "data: password=***,password2=*** refused"),
        ("o=username=WORK/me%abc,uid=0", "o=username=WORK/me%***,uid=0"),
        (
            "o: username=me,password=${NAS_PASSWORD},uid=0",
            "o: username=me,password=${NAS_PASSWORD},uid=0",
        ),
        ("o: password=${NAS_PASS:-abc}", "o: password=***"),
        ("o: credentials=/etc/nas,user=me", "o: credentials=/etc/nas,user=me"),
        ("bypass=1", "bypass=1"),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_flag_takes_what_its_engine_says_and_what_its_name_says_elsewhere() {
    let redactor = Redactor::default().flags(FlagTables {
        secret: || vec!["--api-key", "--unseal"],
        all: || {
            let flag = |spelling, is_secret, is_list| KnownFlag { spelling, is_secret, is_list };
            vec![
                flag("--api-key", true, false),
                flag("--api-key", true, true),
                flag("--api-server-count", false, false),
                flag("--secret-sauce", false, false),
                flag("--unseal", true, false),
            ]
        },
    });
    for (text, expected) in [
        ("--api_key A B --port 80", "--api_key *** *** --port 80"),
        ("--api-key A B && next", "--api-key *** *** && next"),
        ("--api-key A \\\n  B \\\n  --port 80", "--api-key *** \\\n  *** \\\n  --port 80"),
        ("[--api-key, A, B, --port]", "[--api-key, ***, ***, --port]"),
        (r#"["--api-key", "A", "B"], x"#, r#"["--api-key", "***", "***"], x"#),
        ("- --api-key\n- A\n- \"B\"\n- --port", "- --api-key\n- ***\n- \"***\"\n- --port"),
        (r#"{"args": "--api-key A", "model": "x"}"#, r#"{"args": "--api-key ***", "model": "x"}"#),
        (r#"{command: "--api-key A B"}"#, r#"{command: "--api-key *** ***"}"#),
        ("`--api-key A B` and more", "`--api-key *** ***` and more"),
        ("--api-key=A m", "--api-key=*** m"),
        ("--api-k A", "--api-k ***"),
        ("--api-s 4", "--api-s 4"),
        ("--unseal A b", "--unseal *** b"),
        ("--secret-sauce ketchup", "--secret-sauce ketchup"),
        ("--api-keys A B", "--api-keys *** ***"),
        ("--db-password=-A,b=c --x", "--db-password=*** --x"),
        ("--password A b", "--password *** b"),
        ("--auth-token=A", "--auth-token=***"),
        (
            "--max-num-batched-tokens 8192 --tokenizer a/b",
            "--max-num-batched-tokens 8192 --tokenizer a/b",
        ),
        (
            "--ssl-keyfile /k.pem --ssl-keyfile-password A",
            "--ssl-keyfile /k.pem --ssl-keyfile-password ***",
        ),
    ] {
        assert_eq!(redactor.redact(text), expected, "{text}");
    }
}

#[test]
fn names_of_variables_headers_and_keys_tell_their_values() {
    for (text, expected) in [
        ("curl -H 'X-Api-Key: abc' http://h", "curl -H 'X-Api-Key: ***' http://h"),
        ("curl -H X-Api-Key:abc http://h", "curl -H X-Api-Key:*** http://h"),
        ("run DB_PASS=abc x", "run DB_PASS=*** x"),
        ("run MYSQL_PWD=abc x", "run MYSQL_PWD=*** x"),
        ("run PWD=/work x", "run PWD=/work x"),
        ("run REDIS_AUTH=abc WEBUI_AUTH=false x", "run REDIS_AUTH=*** WEBUI_AUTH=false x"),
        ("run SALT=abc x", "run SALT=*** x"),
        ("args: api_key='abc', port=80", "args: api_key='***', port=80"),
        ("args: {'api_key': ['abc', 'def'], 'port': 80}", "args: {'api_key': [***], 'port': 80}"),
        ("args: api_key=SecretStr('abc'), port=80", "args: api_key=***'), port=80"),
        ("(api_key=b'abc')", "(api_key=***')"),
        ("api_key = abc", "api_key = ***"),
        ("x \"hfToken\": \"ab\\\"c\", y", "x \"hfToken\": \"***\", y"),
        (
            "Server=db;User Id=me;Password=a b c;Pooling=on",
            "Server=db;User Id=me;Password=***;Pooling=on",
        ),
        ("DB: \"Password=a b;Server=db\"", "DB: \"Password=***;Server=db\""),
        ("https://h/f?api_key=abc&b=2", "https://h/f?api_key=***&b=2"),
        ("at spring.datasource.password=abc x", "at spring.datasource.password=*** x"),
        ("postgres://me:a/b@h/db", "postgres://me:***@h/db"),
        ("Authorization: Digest u=\"me\", response=\"abc\"", "Authorization: Digest ***"),
        ("Proxy-Authorization: Basic abc", "Proxy-Authorization: Basic ***"),
        ("--env=HF_TOKEN=abc", "--env=HF_TOKEN=***"),
    ] {
        check(text, expected);
    }
}

#[test]
fn tokens_are_known_by_their_form() {
    let long = "0123456789abcdefABCDEF0123456789abcd";
    for prefix in
        ["ghp_", "gho_", "github_pat_", "sk-", "sk-proj-", "glpat-", "npm_", "xoxb-", "nvapi-"]
    {
        check(&format!("see {prefix}{long}, gone"), "see ***, gone");
    }
    check("key AKIAIOSFODNN7EXAMPLE.", "key ***.");
    check("xoxb-1234567890-abc", "***");
    check("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln x", "t *** x");
    check(
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----",
    );
}

#[test]
fn what_only_looks_like_a_secret_is_shown() {
    for text in [
        "hf://sk-learn/x",
        "sk-learn/some-very-long-model-name-7b-instruct-2507",
        "HF_HUB_ENABLE_HF_TRANSFER=1 and hf_transfer",
        "--tokenizer a/b --max-num-batched-tokens 8192",
        "max_tokens=5",
        "PASSTHROUGH=all AUTHOR=me COMPASS=north PATH=/usr/bin:/bin",
        "TOKENIZERS_PARALLELISM=false",
        "/run/secrets/hf_token: no such file",
        "./api_key:/run/api_key:ro",
        "secrets: [hf_token]",
        "secrets: {hf_token: {file: ./t}}",
        "x: the token: it is missing",
        "print_info: EOS token        = 2 '</s>'",
        "eos_token_id: 2",
        "image: org/auth:1.0",
        "image: my-token:v1",
        "https://host:8080/a@b",
        "AKIAIS A WORD",
        "tmpfs: /run:mode=0700,size=5",
        "a key: value",
        "--api-key: expected at least one argument",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        check(text, text);
    }
}

#[test]
fn secrets_that_overlap_are_hidden_as_one() {
    let redactor = Redactor::new(["abcd", "cdef"]).knowing(["ghij"]);
    assert_eq!(redactor.redact("x abcdef ghij"), "x *** ***");
    assert_eq!(Redactor::new(["aaaa"]).redact("aaaaaa"), "***");
}

/// What this thread has had of a processor: what others take from it does not count.
fn worked() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

/// How long it takes to redact `pattern`, repeated up to `length` bytes.
fn time(redactor: &Redactor, pattern: &str, length: usize) -> Duration {
    let text = pattern.repeat(length / pattern.len());
    let times = (0..3).map(|_| {
        let start = worked();
        std::hint::black_box(redactor.redact(&text));
        worked() - start
    });
    times.min().unwrap()
}

#[test]
fn ten_times_the_text_takes_ten_times_as_long_whatever_is_in_it() {
    let redactor = Redactor::new(["aaaa", "aaaaaaaa", "sekrit"]).flags(FlagTables {
        secret: || vec!["--api-key"],
        all: || vec![KnownFlag { spelling: "--api-key", is_secret: true, is_list: true }],
    });
    for pattern in [
        "a",
        " ",
        "=",
        "\"",
        "'",
        "`",
        ",",
        "\\",
        "\n- ",
        "-",
        ",a",
        ";",
        "_",
        ".",
        "{",
        "$",
        "HF_TOKEN=",
        "x HF_TOKEN=",
        "x HF_TOKEN: ",
        "TOKEN ",
        "x api_key=[",
        "x Password=a b;",
        "x PASSWORD: a ",
        "password=a,",
        "x ${A_TOKEN:-",
        "--api-key ",
        "--api-key,-a,",
        "--api-key A ",
        "--api-k",
        "user=%",
        "x user=",
        "authorization ",
        "Authorization: ",
        "bearer ",
        "://",
        "://a:b",
        "://a:b/",
        "?sig=",
        "eyJ",
        ".eyJ",
        "sk-",
        "hf_",
        "ghp_",
        "AKIA",
        " PRIVATE KEY-----",
        "-----END",
        "secret ",
        "auth:",
        "b'",
        "x api_key=b'",
        "sekri",
        "curl ",
        "curl -u ",
        " -u",
        "curl -u a:b",
    ] {
        let (one, ten) = (time(&redactor, pattern, 20_000), time(&redactor, pattern, 200_000));
        // A square would be a hundred times as long.
        let most = 40 * one.max(Duration::from_micros(500));
        assert!(ten < most, "{pattern:?}: {one:?} and {ten:?}");
    }
}

#[test]
fn debug_does_not_show_a_secret() {
    assert_eq!(format!("{:?}", Redactor::new(["sekrit"])), "Redactor(1 secrets)");
}

fn written(chunks: &[&[u8]]) -> String {
    let mut out = Vec::new();
    {
        let mut writer = Redacting::new(&mut out, Redactor::new(["sekrit"]));
        for chunk in chunks {
            writer.write_all(chunk).unwrap();
            writer.flush().unwrap();
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn a_secret_that_comes_in_pieces_is_hidden() {
    assert_eq!(written(&[b"a sek", b"rit b\nse", b"krit"]), "a *** b\n***");
}

#[test]
fn a_line_without_an_end_is_cut_between_words() {
    let filler = vec![b'x'; LONGEST_LINE];
    let out = written(&[&filler, b" sek", b"rit"]);
    assert!(out.ends_with("x ***"), "{}", &out[out.len() - 20..]);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(written(&[b"\xff sekrit\n"]), "\u{fffd} ***\n");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_known_secret_survives(
        head in "(?s).{0,40}", middle in "[-=:,\"' @/?&\\\\]{0,4}", tail in "(?s).{0,40}"
    ) {
        let redactor = Redactor::new(["sekrit-of-this-run"]);
        for flag in ["--api-key", "://", "Authorization", "HF_TOKEN", "bearer ", "?sig="] {
            let text = format!("{head}{flag}{middle}sekrit-of-this-run{tail}");
            prop_assert!(!redactor.redact(&text).contains("sekrit-of-this-run"));
        }
    }
}
