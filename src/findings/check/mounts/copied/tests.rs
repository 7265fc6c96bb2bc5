use super::*;
use crate::findings::check::container::tests::Stack;
use crate::source_map::{Place, Spanned};

fn text(text: &str) -> Copied {
    Copied::Text(Spanned::nowhere(text.to_owned()))
}

fn variable() -> Copied {
    Copied::Variable(Spanned::nowhere("CHAT".to_owned()))
}

fn mount(source: MountSource, target: &str, read_only: bool) -> Mount {
    Mount { source, target: ServicePath::new(target), read_only, place: Place::nowhere() }
}

/// What is said of a file that is copied to `/models/chat.jinja`, in a stack changed by `change`.
fn check(role: Role, copied: Copied, change: impl FnOnce(&mut Stack), expected: &[&str]) {
    let mut stack = Stack::new(role);
    stack.lane("coder", &["llama"], true);
    let mounts = &mut stack.service("llama").mounts;
    mounts.push(mount(MountSource::Copied(copied), "/models/chat.jinja", true));
    change(&mut stack);
    let found = stack.found(&CHECK).into_vec();
    let found: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_compose_can_copy_is_no_matter() {
    check(Role::Hand, text("{{ messages }}"), |_| {}, &[]);
    check(Role::Init, text(""), |_| {}, &[]);
    let above = |stack: &mut Stack| {
        stack.project.services[0].mounts.push(mount(MountSource::Tmpfs, "/models", false));
    };
    check(Role::Hand, text("x"), above, &[]);
}

#[test]
fn a_variable_that_is_not_set_is_known_only_where_compose_is_called() {
    let said = "`CHAT` is not set, and Compose does not start `llama` without it: it is what \
                `/models/chat.jinja` holds";
    check(Role::Hand, variable(), |_| {}, &[said]);
    check(Role::Init, variable(), |_| {}, &[]);
}

#[test]
fn nothing_can_be_copied_to_where_nothing_can_be_written() {
    let below = |stack: &mut Stack| {
        stack.project.services[0].mounts.push(mount(MountSource::Anonymous, "/models", true));
    };
    let said = "Compose copies `/models/chat.jinja` into the container of `llama`, and `/models` is \
                mounted read-only there: `llama` does not start";
    check(Role::Init, text("x"), below, &[said]);
}

#[test]
fn what_no_lane_needs_is_not_judged() {
    let other = |stack: &mut Stack| stack.plan.lanes.clear();
    check(Role::Hand, variable(), other, &[]);
}
