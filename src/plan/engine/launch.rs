//! Which program a service starts: through the image's defaults, wrappers and shells, down to the
//! engine and the words that it gets.

mod no_server;
mod programs;
mod script;

use crate::path::ServicePath;
use crate::plan::engine::image::{Image, Trust};
use crate::plan::engine::profile::{Defaults, Profile};
use crate::plan::engine::shell::Function;
use crate::plan::engine::words::{Environment, Word};
use crate::plan::engine::{Complaint, CutCommand, Earlier, Engine, names};
use crate::project::{Line, Service, Stage, Text};
use crate::source_map::{Place, Spanned};

pub(super) use self::no_server::Lack;
pub use self::no_server::NoServer;
pub(super) use self::programs::WRAPPERS;

/// How many starts are looked at before a command is given up: wrappers and shells can be nested.
const MOST_TRIES: usize = 1024;

/// How deep shells are followed into shells.
const DEEPEST: usize = 4;

/// A start of an engine.
pub(super) struct Launch<'a> {
    /// The engine.
    pub(super) profile: &'static Profile,
    /// The words that name the program.
    pub(super) program: Vec<Word>,
    /// The words behind them.
    pub(super) arguments: Vec<Word>,
    /// The variables of its process.
    pub(super) environment: Environment<'a>,
    /// The working directory; absent: the image's own, which is not known.
    pub(super) working_dir: Option<ServicePath>,
    /// The image, if it is one of the engine's own project.
    pub(super) image: Option<Image>,
    /// True when the words could not be followed down to the engine.
    pub(super) opaque: bool,
    /// Why it is not certain that it is this engine which is started, so that it has to have a model;
    /// absent: it is.
    pub(super) assumed: Option<Spanned<String>>,
    /// Whether more than a part of its image's name says that it is an engine, where its words do not:
    /// the rest of the name, or a device that it is given. What has to end before its Pod starts is none.
    pub(super) is_likely: bool,
    /// What runs before it, and may bring files.
    pub(super) before: Vec<Earlier>,
    /// What could not be followed.
    pub(super) unread: Vec<Spanned<String>>,
    /// What is wrong with how the program is named.
    pub(super) complaints: Vec<Spanned<Complaint>>,
}

/// The script of llama.cpp's full image: what it runs is told by its first word.
const TOOLS: &str = "tools.sh";

/// What words start.
enum Start<'a> {
    /// An engine.
    Engine(Box<Found<'a>>),
    /// Something that may start one: what it is.
    Opaque(Spanned<String>),
    /// Something else.
    Other,
}

/// An engine that was found in words.
struct Found<'a> {
    profile: &'static Profile,
    program: Vec<Word>,
    arguments: Vec<Word>,
    environment: Environment<'a>,
    directory: Option<Word>,
    /// See [`Launch::before`].
    before: Vec<Earlier>,
    unread: Vec<Spanned<String>>,
    complaints: Vec<Spanned<Complaint>>,
    /// See [`Launch::assumed`].
    assumed: Option<Spanned<String>>,
}

/// What became of the search for an engine in what a service runs.
struct Searched<'a> {
    launch: Option<Launch<'a>>,
    /// See [`unseen_script`].
    unseen: Option<ServicePath>,
    /// See [`no_server`].
    no_server: Option<NoServer>,
    /// See [`programs`].
    ran: Vec<Earlier>,
    /// Whether what runs is known to be no engine.
    is_other: bool,
}

/// How `service` starts its engine; absent when it starts something else.
pub(super) fn launch(service: &Service) -> Option<Launch<'_>> {
    search(service).launch
}

/// The first script on the way to the engine whose text was not seen; absent: there is none.
pub(super) fn unseen_script(service: &Service) -> Option<ServicePath> {
    search(service).unseen
}

/// What a service runs whose image is that of an engine, if it is another program.
pub(super) fn no_server(service: &Service) -> Option<NoServer> {
    search(service).no_server
}

/// The programs that scripts of a service run, which start no engine; empty: it runs no script.
pub(super) fn programs(service: &Service) -> Vec<Earlier> {
    search(service).ran
}

/// The same, where the scripts were read to their ends.
pub(super) fn all_programs(service: &Service) -> Option<Vec<Earlier>> {
    let searched = search(service);
    (searched.is_other || searched.ran.is_empty()).then_some(searched.ran)
}

fn search(service: &Service) -> Searched<'_> {
    let image = service.image.as_ref().map(|image| image.value.as_str());
    // What an image is made from says more than its name.
    let image = service.base.as_deref().or(image);
    let image = image.map(|image| Image::parse(image).told(service));
    let known = image.as_ref().and_then(Image::profile);
    let official = known.filter(|(_, trust)| *trust != Trust::Named).map(|(profile, _)| profile);
    let is_rebuilt = image.as_ref().is_some_and(Image::is_rebuilt);
    let based = official.or(known.filter(|_| is_rebuilt).map(|(profile, _)| profile));
    let variables = based.map_or(&[][..], |profile| profile.start.environment);
    let environment = Environment::new(service, variables);
    let directory = service
        .working_dir
        .clone()
        .or_else(|| official.and_then(|profile| profile.start.working_dir).map(ServicePath::new));
    let mut search = Search {
        service,
        environment,
        directory: directory.clone(),
        tries: MOST_TRIES,
        unseen: None,
        ran: Vec::new(),
        functions: Vec::new(),
        locals: Vec::new(),
    };
    let words = words_of(service, official.zip(image.as_ref()));
    let start = match (&service.entrypoint, known, &image) {
        (None, Some((profile, Trust::Named)), Some(image)) => {
            search.in_own_image((profile.start.defaults)(image), profile, words.clone())
        }
        _ => search.start(&words, DEEPEST),
    };
    let is_other = matches!(start, Start::Other);
    // What is read only as it was meant does not run.
    let ran = std::mem::take(&mut search.ran);
    let start = search.as_written(start);
    let (start, no_server) = match known {
        Some((profile, _)) => search.as_meant(start, profile, &words),
        None => (start, None),
    };
    let is_init = service.pod.as_ref().is_some_and(|pod| pod.stage == Stage::Init);
    let is_likely = !is_init
        && match (known, &image) {
            (Some((profile, Trust::Named)), Some(image)) => {
                service.has_device || sees_devices(service) || image.is_plainly(profile)
            }
            (Some((_, Trust::Official | Trust::Misspelt(_) | Trust::Named)) | None, _) => true,
        };
    let image = image.filter(|_| official.is_some());
    let launch = match start {
        Start::Engine(found) => Some(search.once(*found).launch(directory, image)),
        Start::Opaque(what) => {
            known.map(|it| it.0).or_else(|| named_in(service)).map(|profile| Launch {
                profile,
                program: Vec::new(),
                arguments: Vec::new(),
                environment: search.environment.clone(),
                working_dir: directory,
                image,
                opaque: true,
                assumed: None,
                is_likely: true,
                before: Vec::new(),
                unread: vec![what],
                complaints: Vec::new(),
            })
        }
        Start::Other => None,
    };
    let launch = launch.map(|launch| launch.of_misspelt_image(service, known));
    let launch = launch.map(|launch| Launch { is_likely, ..launch });
    Searched { launch, unseen: search.unseen, no_server, ran, is_other }
}

/// Whether its variables say which devices it sees.
fn sees_devices(service: &Service) -> bool {
    const VARIABLES: [&str; 4] = [
        "CUDA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
    ];
    let value = |name: &&str| service.environment.get(*name)?.value.as_deref();
    VARIABLES.iter().filter_map(value).any(|value| !["", "none", "void", "-1"].contains(&value))
}

/// The engine whose start stands somewhere in the words of a service without an image, which are all that
/// there is.
fn named_in(service: &Service) -> Option<&'static Profile> {
    let is_blank = |it: char| it.is_whitespace() || "'\"`;&|()".contains(it);
    let texts = service.words().filter(|_| service.image.is_none());
    let parts = texts.flat_map(|text| text.value.split(is_blank)).filter(|part| !part.is_empty());
    let words: Vec<Word> =
        parts.take(MOST_TRIES).map(|part| Word::known(part, &Place::nowhere())).collect();
    let starts = |profile: &&Profile| {
        (0..words.len())
            .any(|at| words.get(at..).is_some_and(|it| (profile.start.program)(it).is_some()))
    };
    Engine::ALL.map(Engine::profile).into_iter().find(starts)
}

/// The words that a container of `service` runs: those of an entrypoint, the service's own or that of
/// an official image, and behind them the command.
fn words_of(service: &Service, official: Option<(&'static Profile, &Image)>) -> Vec<Word> {
    let defaults = official.map(|(profile, image)| (profile.start.defaults)(image));
    let word = |spanned: &Spanned<String>| word(service, spanned);
    let command = service.command.iter().flatten().map(word);
    let Some(entrypoint) = &service.entrypoint else {
        let Some(defaults) = defaults else { return command.collect() };
        let is_empty = service.command.as_ref().is_none_or(Vec::is_empty);
        let own = if is_empty { defaults.command } else { &[] };
        return written(defaults.entrypoint)
            .into_iter()
            .chain(written(own))
            .chain(command)
            .collect();
    };
    let mut words: Vec<Word> = entrypoint.iter().map(word).collect();
    if let Some(((profile, _), script)) = official.zip(words.first().cloned())
        && profile.hands_over(&script)
    {
        let program = defaults.map_or(&[][..], |defaults| defaults.entrypoint);
        let program = program.iter().map(|text| Word::known(*text, &script.place));
        words.splice(..1, program);
    }
    words.extend(command);
    words
}

fn word(service: &Service, spanned: &Spanned<String>) -> Word {
    let is_in = |(name, _): &(&String, _)| spanned.value.contains(&format!("$({name})"));
    let missing = service.told_elsewhere.iter().find(is_in);
    let unknown = missing.map(|(name, by)| format!("`{name}` is said by {}", by.value));
    let mut placeholders = service.placeholders.iter();
    let placeholder = placeholders.find(|it| spanned.value.contains(&it.value));
    let unknown =
        unknown.or_else(|| Some(format!("nobody has filled in `{}`", placeholder?.value)));
    Word { unknown, ..Word::known(spanned.value.as_str(), &spanned.place) }
}

fn written(texts: &[&str]) -> Vec<Word> {
    texts.iter().map(|text| Word::known(*text, &Place::nowhere())).collect()
}

struct Search<'a> {
    service: &'a Service,
    environment: Environment<'a>,
    /// The working directory; absent: not known.
    directory: Option<ServicePath>,
    tries: usize,
    /// The first script whose text is needed and was not seen.
    unseen: Option<ServicePath>,
    /// The programs of scripts that start no engine.
    ran: Vec<Earlier>,
    /// The functions of the scripts that are followed now.
    functions: Vec<Function>,
    /// The variables that are the functions' own.
    locals: Vec<String>,
}

impl<'a> Search<'a> {
    /// What an image that is only named after `profile` starts: its entrypoint is not known, so words
    /// that are no program are taken as meant for the engine.
    fn in_own_image(
        &mut self,
        defaults: Defaults,
        profile: &'static Profile,
        command: Vec<Word>,
    ) -> Start<'a> {
        let place = self.service.image.as_ref().map(|image| image.place.clone());
        let what = "what the image runs by itself is not known".to_owned();
        let what = Spanned::new(what, place.unwrap_or_default());
        let Some(first) = command.first().cloned() else {
            return match self.assumed(&written(defaults.entrypoint), &what) {
                Start::Opaque(_) | Start::Other => Start::Opaque(what),
                start @ Start::Engine(_) => start,
            };
        };
        let alone = self.start(&command, DEEPEST);
        let path = ServicePath::new(first.text.as_str());
        let mounted =
            || self.service.mounts.iter().any(|mount| path.below(&mount.target).is_some());
        let model = first.text.contains('/') && (!first.text.starts_with('/') || mounted());
        let meant = first.text.starts_with('-') || model && (profile.start.takes)(&first.text);
        if !matches!(alone, Start::Other) || !meant {
            return alone;
        }
        // Where the official image starts nothing by itself, one that takes flags starts the server.
        let lacked = (profile.start.lacks)(self.service, &command).map_or(&[][..], |it| it.words);
        let program = Some(defaults.entrypoint).filter(|it| !it.is_empty()).unwrap_or(lacked);
        let words: Vec<Word> = written(program).into_iter().chain(command).collect();
        match self.assumed(&words, &what) {
            Start::Other => Start::Opaque(what),
            start @ (Start::Engine(_) | Start::Opaque(_)) => start,
        }
    }

    /// What words start of which the first are not the image's own for certain.
    fn assumed(&mut self, words: &[Word], what: &Spanned<String>) -> Start<'a> {
        match self.start(words, DEEPEST) {
            Start::Engine(mut found) => {
                found.assumed = Some(what.clone());
                Start::Engine(found)
            }
            start @ (Start::Opaque(_) | Start::Other) => start,
        }
    }

    /// What a command line starts as it is written, where what Compose makes of it does not start that:
    /// it takes the first command alone, and a shell that is the entrypoint gets the first word alone.
    fn as_written(&mut self, start: Start<'a>) -> Start<'a> {
        for line in &self.service.lines {
            if !self.is_doubtful(&start, line) {
                continue;
            }
            let Some((mut found, lines)) = self.read_whole(&line.text) else { continue };
            if matches!(&start, Start::Engine(_)) && found.arguments.is_empty() {
                continue;
            }
            let cut = CutCommand {
                key: line.key,
                at: line.cut_at.clone(),
                left: self.left_by_compose(),
                own_entrypoint: self.service.entrypoint.is_some(),
                bare: matches!(start, Start::Engine(_)) && self.service.entrypoint.is_some(),
                lines,
            };
            let complaint = Complaint::CommandCut(cut);
            found.complaints.push(Spanned::new(complaint, line.text.place.clone()));
            return Start::Engine(found);
        }
        start
    }

    /// Whether `line` may start an engine that `start` does not: what runs is known, and it is none, or
    /// one that is started without any of its words, or one that the image alone brings along while
    /// the line is cut off behind another program.
    fn is_doubtful(&mut self, start: &Start<'a>, line: &Line) -> bool {
        let in_shell =
            self.service.entrypoint.iter().flatten().any(|it| word(self.service, it).is_shell());
        match start {
            Start::Other => true,
            Start::Opaque(_) => in_shell || self.service.entrypoint.is_none(),
            Start::Engine(found) if in_shell => found.arguments.is_empty(),
            Start::Engine(_) if self.service.entrypoint.is_some() || line.cut_at.is_none() => false,
            Start::Engine(_) => {
                let words = self.service.command.iter().flatten();
                let words: Vec<Word> = words.map(|it| word(self.service, it)).collect();
                let is_flag = words.first().is_some_and(|first| first.text.starts_with('-'));
                !is_flag && !matches!(self.start(&words, DEEPEST), Start::Engine(_))
            }
        }
    }

    /// The engine that a shell starts from a whole text, and whether its lines are commands. To Compose
    /// a line break is a blank, and in a folded text it is often meant as one: before a flag, and where
    /// the engine gets none of its words without that.
    fn read_whole(&mut self, text: &Spanned<String>) -> Option<(Box<Found<'a>>, bool)> {
        let mut read = |script: String| {
            let script = Word::known(script, &text.place);
            let shell = written(&["/bin/sh", "-c"]).into_iter().chain([script]);
            match self.start(&shell.collect::<Vec<_>>(), DEEPEST) {
                Start::Engine(found) => Some(found),
                Start::Opaque(_) | Start::Other => None,
            }
        };
        let lines = text.value.trim();
        let is_flag = |line: &str| line.trim_start().starts_with('-');
        let as_it_is = Some(lines).filter(|lines| !lines.lines().skip(1).any(is_flag));
        let as_it_is = as_it_is.and_then(|lines| read(lines.to_owned()));
        match as_it_is {
            Some(found) if !found.arguments.is_empty() => Some((found, lines.contains('\n'))),
            as_it_is => read(lines.replace('\n', " ")).or(as_it_is).map(|found| (found, false)),
        }
    }

    /// The words that Compose gives to Docker.
    fn left_by_compose(&self) -> String {
        let words = self.service.words();
        let texts: Vec<&str> = words.map(|word| word.value.as_str()).collect();
        texts.join(" ")
    }

    /// What `words` start.
    fn start(&mut self, words: &[Word], depth: usize) -> Start<'a> {
        let Some(first) = words.first() else { return Start::Other };
        if let Some(why) = &first.unknown {
            return Start::Opaque(Spanned::new(why.clone(), first.place.clone()));
        }
        let start = self.direct(words, depth);
        if !matches!(start, Start::Other) || !WRAPPERS.contains(&first.program()) {
            return start;
        }
        for index in 1..words.len() {
            let Some(rest) = words.get(index..) else { break };
            let found = self.direct(rest, depth);
            if !matches!(found, Start::Other) {
                let outside = self.environment.clone();
                self.assign_all(words.get(..index).unwrap_or_default());
                // Found again, now with the variables that the wrapper sets.
                let found = self.direct(rest, depth);
                self.environment = outside;
                return found;
            }
        }
        Start::Other
    }

    /// Takes over the `NAME=value` words of `env` and `export`.
    fn assign_all(&mut self, words: &[Word]) {
        for word in words {
            if let Some((name, value)) = word.text.split_once('=')
                && !name.starts_with('-')
            {
                let value = Word { text: value.to_owned(), ..word.clone() };
                self.environment.set(name.to_owned(), value);
            }
        }
    }

    /// What `words` start without a wrapper.
    fn direct(&mut self, words: &[Word], depth: usize) -> Start<'a> {
        let Some(left) = self.tries.checked_sub(1) else { return Start::Other };
        self.tries = left;
        for profile in Engine::ALL.map(Engine::profile) {
            if let Some(length) = (profile.start.program)(words) {
                let (program, arguments) = words.split_at(length.min(words.len()));
                return Start::Engine(Box::new(Found {
                    profile,
                    program: program.to_vec(),
                    arguments: arguments.to_vec(),
                    environment: self.environment.clone(),
                    directory: None,
                    before: Vec::new(),
                    unread: Vec::new(),
                    complaints: Vec::new(),
                    assumed: None,
                }));
            }
        }
        let Some(first) = words.first() else { return Start::Other };
        if first.is_shell() {
            return self.shell(words, depth);
        }
        let is_script = [".sh", ".bash", ".py"].iter().any(|end| first.text.ends_with(end));
        let is_known = WRAPPERS.contains(&first.program()) || first.program() == TOOLS;
        if (is_script || self.seen(first).is_some()) && !is_known {
            return self.script_file(words, depth);
        }
        Start::Other
    }

    /// The text of the file that a word names, if it was seen.
    fn seen(&self, word: &Word) -> Option<&'a Text> {
        let path = names::absolute(&word.text, self.directory.as_ref())?;
        self.service.texts.get(&path)
    }

    /// What the script that the first of `words` names starts. One that was not seen is taken for
    /// one that starts what stands behind it, if that is an engine.
    fn script_file(&mut self, words: &[Word], depth: usize) -> Start<'a> {
        let Some((script, arguments)) = words.split_first() else { return Start::Other };
        let Some(depth) = depth.checked_sub(1) else { return Start::Other };
        let Some(text) = self.seen(script) else {
            if Engine::ALL.iter().any(|engine| engine.profile().has_other_script(script)) {
                return Start::Other;
            }
            if self.unseen.is_none() && !script.text.ends_with(".py") {
                self.unseen = names::absolute(&script.text, self.directory.as_ref());
            }
            return match self.start(arguments, depth) {
                Start::Engine(mut found) => {
                    found.unread.push(unread_script(script));
                    Start::Engine(found)
                }
                Start::Opaque(_) | Start::Other => Start::Opaque(unread_script(script)),
            };
        };
        let first = text.text.lines().next().unwrap_or("");
        let what = if first.starts_with("#!") && !first.trim_end().ends_with("sh") {
            format!("the script `{}` is none of a shell", script.text)
        } else {
            let place = text.line(0).unwrap_or(&script.place);
            let word = Word::known(text.text.as_str(), place);
            match self.script(&word, arguments, depth) {
                Start::Other => format!("the script `{}` starts no engine", script.text),
                start @ (Start::Engine(_) | Start::Opaque(_)) => return start,
            }
        };
        Start::Opaque(Spanned::new(what, script.place.clone()))
    }

    /// What `sh [-flags] -c script [name [arguments]]` or `sh file` starts.
    fn shell(&mut self, words: &[Word], depth: usize) -> Start<'a> {
        let mut is_command = false;
        let mut at = 1;
        while let Some(flag) = words.get(at).filter(|word| word.text.starts_with(['-', '+'])) {
            let short = !flag.text.starts_with("--");
            is_command |= short && flag.text.contains('c');
            at += if short && flag.text.ends_with('o') { 2 } else { 1 };
        }
        let Some(script) = words.get(at) else { return Start::Other };
        if !is_command {
            return self.script_file(words.get(at..).unwrap_or_default(), depth);
        }
        if let Some(why) = &script.unknown {
            return Start::Opaque(Spanned::new(why.clone(), script.place.clone()));
        }
        let Some(depth) = depth.checked_sub(1) else { return Start::Other };
        self.script(script, words.get(at + 2..).unwrap_or_default(), depth)
    }
}

fn unread_script(script: &Word) -> Spanned<String> {
    Spanned::new(format!("the script `{}` was not seen", script.text), script.place.clone())
}

impl<'a> Found<'a> {
    fn launch(self, working_dir: Option<ServicePath>, image: Option<Image>) -> Launch<'a> {
        let working_dir = match &self.directory {
            None => working_dir,
            Some(word) if word.unknown.is_some() => None,
            Some(word) => names::absolute(&word.text, working_dir.as_ref()),
        };
        let engine = self.profile.engine;
        let same =
            |image: &Image| image.profile().is_some_and(|(profile, _)| profile.engine == engine);
        Launch {
            profile: self.profile,
            program: self.program,
            arguments: self.arguments,
            environment: self.environment,
            working_dir,
            image: image.filter(same),
            opaque: false,
            assumed: self.assumed,
            is_likely: true,
            before: self.before,
            unread: self.unread,
            complaints: self.complaints,
        }
    }
}

impl Profile {
    /// Whether `program` is a script of the official image that only hands its words over.
    fn hands_over(&self, program: &Word) -> bool {
        self.start.scripts.contains(&program.program())
    }

    /// Whether `script` is one of the official image that starts something else.
    fn has_other_script(&self, script: &Word) -> bool {
        self.start.other_scripts.contains(&script.program())
    }
}
