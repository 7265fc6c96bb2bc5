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
