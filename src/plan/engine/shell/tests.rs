//! Scripts in, words out.

use super::*;
use crate::project::Service;
use crate::source_map::Spanned;

/// Expands `script` with `A=one`, `E=` (empty), `S=two words`, `R` removed and `$1`, `$2`.
fn check(script: &str, expected: &[&str]) {
    let mut service = Service::named(Spanned::nowhere("s".to_owned()));
    for (name, value) in
        [("A", Some("one")), ("E", Some("")), ("S", Some("two  words")), ("R", None)]
    {
        let value = Spanned::nowhere(value.map(str::to_owned));
        service.environment.insert(name.to_owned(), value);
    }
    let place = Place::nowhere();
    let environment = Environment::new(&service, &[]);
    let arguments = [Word::known("first", &place), Word::known("2nd arg", &place)];
    let scope = Scope {
        environment: &environment,
        arguments: &arguments,
        place: &place,
        unset_is_empty: false,
    };
    let commands: Vec<String> = parse(script)
        .commands
        .iter()
        .map(|command| {
            let words = scope.words(&command.words);
            let shown = words.iter().map(|word| match &word.unknown {
                Some(_) => format!("<{}?>", word.text),
                None => format!("<{}>", word.text),
            });
            shown.collect()
        })
        .collect();
    assert_eq!(commands, expected, "{script}");
}

#[test]
fn words_are_what_a_posix_shell_makes_of_them() {
    check("a b\tc", &["<a><b><c>"]);
    check("a 'b c' \"d e\"f", &["<a><b c><d ef>"]);
    check(r#"a\ b "c\"d" '\' "\n""#, &[r#"<a b><c"d><\><\n>"#]);
    check("a \"\" ''", &["<a><><>"]);
    check("a \\\n  b", &["<a><b>"]);
    check("a # not b\nc", &["<a>", "<c>"]);
    check("a#b", &["<a#b>"]);
    check("x=1 a && b || c; d & e | f", &["<x=1><a>", "<b>", "<c>", "<d>", "<e>", "<f>"]);
    check("if a; then b; else c; fi", &["<a>", "<b>", "<c>"]);
    check("(a; { b; })", &["<a>", "<b>"]);
    check("a > /log 2>&1 b < in", &["<a><b>"]);
    check("a --x='{\"k\": 1}'", &["<a><--x={\"k\": 1}>"]);
    check("", &[]);
    check("'open", &["<open>"]);
    check("\"open $A", &["<open one>"]);
}

#[test]
fn variables_of_the_service_are_expanded_and_others_are_unknown() {
    check("a $A ${A} x${A}y '$A' \"$A\" \\$A", &["<a><one><one><xoney><$A><one><$A>"]);
    check("a $E b \"$E\" $R \"$R\"", &["<a><b><><>"]);
    check("a $S \"$S\" x$S", &["<a><two><words><two  words><xtwo><words>"]);
    check("a $U x${U}y", &["<a><?><xy?>"]);
    check("${U:-d} ${E:-d} ${E-d} ${A:-d} ${R-d}", &["<d><d><one><d>"]);
    check("${U:-$A} ${U:-${V:-deep}} ${U:-\"a b\"} ${U:-a b}", &["<one><deep><a b><a><b>"]);
    check("\"${U:-a 'b'}\" \"${U:-$S}\" \"${U:-}\" ${U:-}", &["<a 'b'><two  words><>"]);
    check("${A:+x} ${U:+x} ${A:?no} ${U:?no} ${A%e}", &["<x><one><?><?>"]);
    check("$(cat /x) `cat /x` $((1 + 2)) $? $", &["<?><?><?><?><$>"]);
    check("a \"$@\" $1 \"$2\" $3", &["<a><first><2nd arg><first><2nd arg>"]);
    check("a $@ \"$*\"", &["<a><first><2nd><arg><first 2nd arg>"]);
    check("a x\"$@\"", &["<a><xfirst><2nd arg>"]);
}

#[test]
fn the_commands_of_a_function_are_not_those_of_its_script() {
    check("run() { a \"$1\"; }; b", &["<b>"]);
    check("run () {\n  # it's not }\n  a\n}\nb run", &["<b><run>"]);
    check("function run { a; }\nb", &["<b>"]);
    check("A=(a b)\nb", &["<A=>", "<a><b>", "<b>"]);
    check("run() { a; b", &["<run>", "<a>", "<b>"]);
    let functions = parse("one() { a ${B} '}'; { c; } }; two() { d; }; one").functions;
    let shown: Vec<_> = functions.iter().map(|it| (it.name.as_str(), it.body.as_str())).collect();
    assert_eq!(shown, [("one", " a ${B} '}'; { c; } "), ("two", " d; ")]);
}

#[test]
fn a_here_document_ends_what_is_read_but_where_it_is_only_copied() {
    let script = parse("vllm serve m\nbash <<EOF\n$(");
    assert_eq!(script.commands.len(), 2);
    assert!(script.unread.is_some());
    check("cat > /x <<EOF\nvllm $( '\nEOF\na b", &["<cat>", "<a><b>"]);
    check("cat <<-'END' | tee /x\n\tvllm\n\tEND\na", &["<cat>", "<tee></x>", "<a>"]);
    check("cat <<ONE <<TWO\na\nONE\nb\nTWO\nc", &["<cat>", "<c>"]);
    check("read x <<< word; b", &["<read><x>", "<b>"]);
    assert_eq!(parse("cat <<EOF\nx\nEOF\na").unread, None);
}

#[test]
fn a_variable_that_doubles_itself_does_not_grow_without_bound() {
    let service = Service::named(Spanned::nowhere("s".to_owned()));
    let place = Place::nowhere();
    let mut environment = Environment::new(&service, &[]);
    for _ in 0..64 {
        let scope = Scope {
            environment: &environment,
            arguments: &[],
            place: &place,
            unset_is_empty: false,
        };
        let script = parse("A=$A$A$A${A:-xxxxxxxx}");
        let (name, raw) = assignment(&script.commands[0].words[0]).unwrap();
        let value = scope.value(&raw);
        let name = name.to_owned();
        environment.set(name, value);
    }
    let Variable::Set(word) = environment.variable("A") else { panic!("A is set") };
    assert!(word.text.len() <= LONGEST_WORD);
}
