use super::*;

/// The text in which `chat` has been made to wait, by the best way.
fn waits(text: &str) -> Result<String, Obstacle> {
    let ways = wait(text, "chat", "preflight")?;
    Ok(applied(text, &ways.first().expect("a way").edits))
}

fn check(before: &str, after: &str) {
    assert_eq!(waits(before).as_deref(), Ok(after), "{before}");
}

#[test]
fn a_service_without_edges_gets_a_key_behind_its_last() {
    check(
        "services:\n  chat:\n    image: x # y\n    # ports: []\n\n  # other\n  db: {image: y}\n",
        "services:\n  chat:\n    image: x # y\n    # ports: []\n    depends_on:\n      preflight: \
         {condition: service_completed_successfully}\n\n  # other\n  db: {image: y}\n",
    );
    check(
        "services:\r\n    chat:\r\n        image: x",
        "services:\r\n    chat:\r\n        image: x\r\n        depends_on:\r\n            preflight: \
         {condition: service_completed_successfully}",
    );
}

#[test]
fn a_service_in_brackets_stays_in_them() {
    check(
        "services: {chat: {image: x}}\n",
        "services: {chat: {image: x, depends_on: {preflight: {condition: \
         service_completed_successfully}}}}\n",
    );
    check(
        "{\"services\": {\"chat\": {\n  \"image\": \"x\"\n}}}\n",
        "{\"services\": {\"chat\": {\n  \"image\": \"x\",\n  \"depends_on\": {\"preflight\": \
         {\"condition\": \"service_completed_successfully\"}}\n}}}\n",
    );
}

#[test]
fn a_comment_within_brackets_stays_where_it_is() {
    let before = "services:\n  chat: {\n    image: x, # y\n  }\n";
    check(
        before,
        "services:\n  chat: {\n    image: x, # y\n    depends_on: {preflight: {condition: \
         service_completed_successfully}},\n  }\n",
    );
    check(
        &before.replace("x,", "x"),
        "services:\n  chat: {\n    image: x, # y\n    depends_on: {preflight: {condition: \
         service_completed_successfully}}\n  }\n",
    );
    check(
        "services:\n  chat:\n    depends_on: [\n      db, # y\n      q ]\n",
        "services:\n  chat:\n    depends_on: {\n      db: {condition: service_started}, # y\n      q: \
         {condition: service_started},\n      preflight: {condition: \
         service_completed_successfully} }\n",
    );
}

#[test]
fn a_list_of_names_becomes_a_mapping_and_its_comments_stay() {
    check(
        "services:\n  chat:\n    depends_on:\n    # the store\n    - db # c\n    - \"q\"\n",
        "services:\n  chat:\n    depends_on:\n    # the store\n      db: {condition: \
         service_started} # c\n      \"q\": {condition: service_started}\n      preflight: \
         {condition: service_completed_successfully}\n",
    );
    check(
        "services:\n  chat:\n    depends_on: [db, preflight,]\n",
        "services:\n  chat:\n    depends_on: {db: {condition: service_started}, preflight: \
         {condition: service_completed_successfully},}\n",
    );
    check(
        "services:\n  chat:\n    depends_on:\n      - db",
        "services:\n  chat:\n    depends_on:\n      db: {condition: service_started}\n      \
         preflight: {condition: service_completed_successfully}",
    );
}

#[test]
fn a_mapping_of_edges_gets_one_more_in_its_own_form() {
    check(
        "services:\n  chat:\n    depends_on:\n      db:\n          condition: service_healthy\n",
        "services:\n  chat:\n    depends_on:\n      db:\n          condition: service_healthy\n      \
         preflight:\n          condition: service_completed_successfully\n",
    );
    check(
        "services: {chat: {depends_on: {db: {condition: service_healthy}}}}\n",
        "services: {chat: {depends_on: {db: {condition: service_healthy}, preflight: {condition: \
         service_completed_successfully}}}}\n",
    );
    check(
        "services:\n  chat:\n    depends_on: {preflight: {condition: 'service_started'}}\n",
        "services:\n  chat:\n    depends_on: {preflight: {condition: \
         'service_completed_successfully'}}\n",
    );
}

#[test]
fn what_cannot_be_written_is_said() {
    for (edges, obstacle) in [
        ("!override [db]", Obstacle::Tag),
        ("[\"${DB}\"]", Obstacle::Variable),
        ("[*x]", Obstacle::Alias),
        ("", Obstacle::Nothing),
        ("{preflight: *y}", Obstacle::Alias),
    ] {
        let text = format!(
            "x: &x db\ny: &y {{condition: z}}\nservices:\n  chat:\n    depends_on: {edges}\n"
        );
        assert_eq!(waits(&text), Err(obstacle), "{edges}");
    }
    assert_eq!(wait("services: {}\n", "chat", "preflight"), Ok(Vec::new()));
    assert_eq!(waits("services:\n  chat:\n"), Err(Obstacle::Nothing));
}

#[test]
fn a_fragment_is_included_above_the_services_and_below_what_heads_the_file() {
    let included = |text: &str| {
        let ways = include(text, "preflight.yaml").unwrap();
        applied(text, &ways.first().unwrap().edits)
    };
    for (before, after) in [
        ("services: {}\n", "include:\n  - preflight.yaml\n\nservices: {}\n"),
        (
            "\u{feff}# head\nservices: {}\n",
            "\u{feff}# head\ninclude:\n  - preflight.yaml\n\nservices: {}\n",
        ),
        (
            "name: x\n\n# s\nservices: {}\n",
            "name: x\n\ninclude:\n  - preflight.yaml\n\n# s\nservices: {}\n",
        ),
        ("---\nservices: {}\n", "---\ninclude:\n  - preflight.yaml\n\nservices: {}\n"),
        (
            "include:\n- a.yaml\n# s\nservices: {}\n",
            "include:\n- a.yaml\n- preflight.yaml\n# s\nservices: {}\n",
        ),
        ("include: [a.yaml]\n", "include: [a.yaml, preflight.yaml]\n"),
        (
            "include:\n  - path: a\n    env_file: b\n",
            "include:\n  - path: a\n    env_file: b\n  - preflight.yaml\n",
        ),
        ("{\"services\": {}}", "{\"services\": {}, \"include\": [\"preflight.yaml\"]}"),
        (
            "\u{feff}services: {}\r\n",
            "\u{feff}include:\r\n  - preflight.yaml\r\n\r\nservices: {}\r\n",
        ),
    ] {
        assert_eq!(included(before), after, "{before:?}");
    }
}
