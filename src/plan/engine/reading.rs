//! Turns settings into what an [`Invocation`] says: the part that every engine shares.

use std::path::Path;

use crate::path::ServicePath;
use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::cache_variables::{self, Asked, BELOW_HOME, CacheVariables, home_of_user};
use crate::plan::engine::image::Image;
use crate::plan::engine::launch::Launch;
use crate::plan::engine::release_table::numbers;
use crate::plan::engine::words::{Environment, Word};
use crate::plan::engine::{
    Complaint, Endpoint, GpuVariables, HubCache, Invocation, ModelsDir, Named, Opens, Part,
    Refusal, StrayWord, UnsetVariable, names,
};
use crate::project::{Mount, Service, Text, unquoted};
use crate::source_map::{Place, Spanned, VariableSource};

/// An invocation in the making.
pub(super) struct Reading<'a> {
    service: &'a Service,
    working_dir: Option<ServicePath>,
    /// Whether repositories are those of ModelScope, whose cache and whose names are others.
    modelscope: bool,
    /// The variables of the engine's process.
    pub(super) environment: Environment<'a>,
    /// What is known so far.
    pub(super) invocation: Invocation,
}

impl<'a> Reading<'a> {
    /// A reading of `launch`, of which nothing but the program was read.
    pub(super) fn new(service: &'a Service, launch: &Launch<'a>) -> Self {
        let mut invocation = Invocation::bare(launch.profile.engine);
        invocation.version = launch.image.as_ref().and_then(|image| image.version());
        invocation.labelled = launch.image.as_ref().is_some_and(Image::is_labelled);
        let is_own = service.base.is_none();
        let dated = launch.image.as_ref().filter(|_| is_own).and_then(Image::newest_possible);
        invocation.newest_possible = dated;
        invocation.stock = launch.image.is_some() && service.base.is_none();
        invocation.on_nvidia = launch.image.as_ref().is_some_and(Image::is_for_nvidia);
        invocation.before.clone_from(&launch.before);
        invocation.unread.clone_from(&launch.unread);
        invocation.complaints.clone_from(&launch.complaints);
        invocation.observed = service.observed;
        invocation.unset = unset(service);
        invocation.in_shell =
            service.words().any(|word| Word::known(word.value.as_str(), &word.place).is_shell());
        let environment = launch.environment.clone();
        let working_dir = launch.working_dir.clone();
        let mut reading = Self { service, working_dir, modelscope: false, environment, invocation };
        reading.endpoint("HF_ENDPOINT");
        reading.gpu_variables();
        reading.invocation.offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .iter()
            .any(|name| reading.environment.is_on(name));
        reading
    }

    /// Notes what the variables say of the GPUs that the process sees.
    fn gpu_variables(&mut self) {
        let mut read = |name: &str| {
            let word = self.environment.get(name)?;
            self.invocation.spread.variables.unknown |= word.unknown.is_some();
            Some(Spanned::new(word.text, word.place)).filter(|_| word.unknown.is_none())
        };
        let lists = GpuVariables::LISTS.map(&mut read);
        let order = read("CUDA_DEVICE_ORDER").map(|order| order.value);
        let variables = &mut self.invocation.spread.variables;
        (variables.lists, variables.order) = (lists, order);
    }

    /// Whether the service's words, or a script of it, name this program.
    pub(super) fn names_program(&self, program: &str) -> bool {
        let words = self.service.words().map(|word| &word.value);
        let texts = words.chain(self.service.texts.values().map(|text| &text.text));
        let is_between = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')');
        texts.into_iter().any(|text| text.split(is_between).any(|word| word == program))
    }

    /// Notes the hub that a variable names, if it is set and known.
    pub(super) fn endpoint(&mut self, variable: &str) {
        if let Some(word) = self.environment.get(variable).filter(|word| word.unknown.is_none()) {
            let (url, place) = (word.text, word.place);
            self.invocation.endpoint = Some(Endpoint { url, by: variable.to_owned(), place });
        }
    }

    /// The numbers of the release of the image; absent: it is not known.
    pub(super) fn release(&self) -> Option<Vec<u32>> {
        let version = self.invocation.version.as_deref()?;
        Some(numbers(version)).filter(|numbers| !numbers.is_empty())
    }

    /// The invocation, the model first.
    pub(super) fn finish(mut self) -> Invocation {
        self.quoted();
        self.invocation.opens.sort_by_key(|opens| opens.part != Part::Model);
        self.invocation
    }

    /// Complains of the variables whose values are in quotes. They were read as they were meant; what
    /// the engine makes of them with their quotes is certain where they name what it opens or where.
    fn quoted(&mut self) {
        let engine = self.invocation.engine;
        for (name, value) in &self.service.environment {
            let Some(meant) = value.value.as_deref().and_then(unquoted) else { continue };
            let decides = self.invocation.is_decided_at(&value.place);
            if decides || engine.reads_variable(name) || engine.knows_variable(name) {
                let (variable, meant) = (name.clone(), meant.to_owned());
                let complaint = Complaint::QuotedVariable { variable, meant, decides };
                self.complain(complaint, &value.place);
            }
        }
    }

    /// Takes over what the parser could not read and what it complains about.
    pub(super) fn took(&mut self, arguments: &mut Arguments) {
        if let Some(newest) = self.invocation.newest_possible {
            let grammar = self.invocation.engine.profile().grammar;
            grammar.into_iter().for_each(|grammar| arguments.hold_against(grammar, newest));
        }
        self.ends_by(arguments, &["--help", "--version"]);
        self.invocation.unread.append(&mut arguments.unread);
        self.invocation.complaints.append(&mut arguments.complaints);
    }

    /// Complains of switches over which a program prints something and ends, whatever else is said.
    pub(super) fn ends_by(&mut self, arguments: &Arguments, switches: &[&str]) {
        let mut given = arguments.given().iter();
        let Some(given) = given.find(|given| switches.contains(&given.name.as_str())) else {
            return;
        };
        self.invocation.only_prints = true;
        let name = self.invocation.engine.name();
        let refusal = Refusal {
            why: format!(
                "over `{}` {name} prints what is asked for and ends: nothing is served",
                given.written
            ),
            fix: format!("leave `{}` out", given.written),
            is_certain: true,
        };
        self.complain(Complaint::Refused(refusal), &given.place);
    }

    /// The first of `flags` that is given, else the first of `variables` that is set.
    pub(super) fn setting(
        &self,
        arguments: &Arguments,
        flags: &[&str],
        variables: &[&str],
    ) -> Option<Setting> {
        flags
            .iter()
            .find_map(|flag| arguments.last(flag))
            .or_else(|| variables.iter().find_map(|name| self.variable(name)))
    }

    /// A variable as a setting.
    pub(super) fn variable(&self, name: &str) -> Option<Setting> {
        let word = self.environment.get(name)?;
        Some(Setting { word, by: name.to_owned() })
    }

    /// The text of a setting; what is not known or empty is noted instead.
    pub(super) fn text(&mut self, setting: Option<Setting>) -> Option<Spanned<String>> {
        let Setting { word, by } = setting?;
        if let Some(why) = word.unknown {
            self.unread(format!("the value of `{by}` is not known: {why}"), &word.place);
            return None;
        }
        if word.text.is_empty() {
            self.complain(Complaint::EmptyValue { by }, &word.place);
            return None;
        }
        Some(Spanned::new(word.text, word.place))
    }

    /// The text of a setting that names what is opened.
    fn name(
        &mut self,
        part: Part,
        setting: Option<Setting>,
        instead: Option<&'static str>,
    ) -> Option<Spanned<String>> {
        match setting {
            Some(Setting { word, by }) if part == Part::Model && word.is("") => {
                self.complain(Complaint::EmptyModel { by, instead }, &word.place);
                None
            }
            setting => self.text(setting),
        }
    }

    /// The number of a setting.
    pub(super) fn number(&mut self, setting: Option<Setting>) -> Option<Spanned<u64>> {
        let by = setting.as_ref().map(|setting| setting.by.clone())?;
        if let Some(Setting { word, by }) = setting.as_ref().filter(|setting| setting.word.is("")) {
            let (by, value) = (by.clone(), String::new());
            self.complain(Complaint::NotANumber { by, value }, &word.place);
            return None;
        }
        let text = self.text(setting)?;
        match text.value.trim().parse() {
            Ok(number) => Some(Spanned::new(number, text.place)),
            Err(_) => {
                let value = text.value;
                self.complain(Complaint::NotANumber { by, value }, &text.place);
                None
            }
        }
    }

    /// Sets the port that the engine listens on.
    pub(super) fn port(&mut self, setting: Option<Setting>) {
        let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
        let Some(number) = self.number(setting) else { return };
        match u16::try_from(number.value) {
            Ok(port) => {
                self.invocation.port = port;
                self.invocation.port_place = number.place;
            }
            Err(_) => {
                let value = number.value.to_string();
                self.complain(Complaint::NotANumber { by, value }, &number.place);
            }
        }
    }

    /// Takes repositories for those of ModelScope where `variable` says so.
    pub(super) fn ask_modelscope(&mut self, variable: &str, yes: &[&str]) {
        let said = self.environment.get(variable).filter(|word| word.unknown.is_none());
        let says = |word: Word| yes.contains(&word.text.to_ascii_lowercase().as_str());
        self.modelscope = said.is_some_and(says);
    }

    /// Opens a file or a repository.
    pub(super) fn path_or_repository(
        &mut self,
        part: Part,
        setting: Option<Setting>,
        revision: Option<&str>,
    ) {
        let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
        let Some(text) = self.name(part, setting, None) else { return };
        let text = self.without_address(&by, text);
        let directory = self.working_dir.as_ref();
        match names::path_or_repository(&text.value, revision, directory, self.service) {
            Some(Named::Repository { id, .. }) if self.modelscope => {
                self.open(part, Named::Url(format!("modelscope://{id}")), by, text.place);
            }
            Some(named) => self.open(part, named, by, text.place),
            None => self.relative(&text),
        }
    }

    /// The name of a repository where the address of its page is written, which is complained of.
    pub(super) fn without_address(&mut self, by: &str, text: Spanned<String>) -> Spanned<String> {
        let Some(name) = names::repository_at(&text.value) else { return text };
        let complaint = Complaint::AddressOfRepository {
            by: by.to_owned(),
            address: text.value,
            name: name.clone(),
        };
        self.complain(complaint, &text.place);
        Spanned::new(name, text.place)
    }

    /// `name=path`; where no mount reaches the path, with that of the one mount of its last name.
    pub(super) fn as_mounted(&self, word: &str) -> String {
        let (name, path) = word.split_once('=').unwrap_or(("", word));
        let path = Path::new(path);
        let mounts = &self.service.mounts;
        if mounts.iter().any(|mount| path.starts_with(mount.target.as_path())) {
            return word.to_owned();
        }
        let is_called_so = |mount: &&Mount| mount.target.as_path().file_name() == path.file_name();
        let mut alike = mounts.iter().filter(is_called_so);
        match (alike.next(), alike.next()) {
            (Some(mount), None) => format!("{name}={}", mount.target),
            (Some(_) | None, _) => word.to_owned(),
        }
    }

    /// Whether a mount of the service reaches the path that a text means; absent: the directory that
    /// it is relative to is not known.
    pub(super) fn is_mounted(&self, text: &str) -> Option<bool> {
        let path = names::absolute(text, self.working_dir.as_ref())?;
        let mounts = &self.service.mounts;
        Some(mounts.iter().any(|mount| path.below(&mount.target).is_some()))
    }

    /// Whether the service may run more Python than its image has: it installs packages, or mounts some.
    pub(super) fn adds_packages(&self) -> bool {
        let installs = |text: &str| text.contains("pip") && text.contains("install");
        let texts = self.service.texts.values().map(|text| text.text.as_str());
        let mut words = self.service.words().map(|word| word.value.as_str()).chain(texts);
        let is_package = |mount: &Mount| mount.target.to_string().contains("-packages");
        words.any(installs) || self.service.mounts.iter().any(is_package)
    }

    /// Opens a path.
    pub(super) fn path(&mut self, part: Part, setting: Option<Setting>) {
        let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
        // What takes paths alone takes an empty one for none.
        let instead = self.invocation.engine.command_line().without_model;
        let Some(text) = self.name(part, setting, instead) else { return };
        if let Some(path) = self.absolute(&text) {
            self.open(part, Named::Path(path), by, text.place);
        }
    }

    /// The path of a folder that a setting names.
    pub(super) fn folder(&mut self, setting: Option<Setting>) -> Option<Spanned<ServicePath>> {
        let text = self.text(setting)?;
        Some(Spanned::new(self.absolute(&text)?, text.place))
    }

    /// Sets the folder out of which models are loaded on request.
    pub(super) fn models_dir(&mut self, setting: Option<Setting>) {
        let by = setting.as_ref().map(|setting| setting.by.clone());
        let folder = self.folder(setting);
        self.invocation.models_dir =
            folder.map(|folder| ModelsDir { path: folder.value, by, place: folder.place });
    }

    /// The text of a file that the command line is continued in, if it was seen.
    pub(super) fn seen(&self, path: &ServicePath) -> Option<&'a Text> {
        self.service.texts.get(path)
    }

    /// Opens what is already known by name.
    pub(super) fn open(&mut self, part: Part, named: Named, by: String, place: Place) {
        self.invocation.opens.push(Opens { part, named, by, place });
    }

    /// The path that a text means; a relative one is noted if the directory is not known.
    fn absolute(&mut self, text: &Spanned<String>) -> Option<ServicePath> {
        let path = names::absolute(&text.value, self.working_dir.as_ref());
        if path.is_none() {
            self.relative(text);
        }
        path
    }

    fn relative(&mut self, text: &Spanned<String>) {
        let path = &text.value;
        self.unread(
            format!("`{path}` is relative to the image's working directory, which is not known"),
            &text.place,
        );
    }

    /// Notes what cannot be read.
    pub(super) fn unread(&mut self, what: String, place: &Place) {
        self.invocation.unread.push(Spanned::new(what, place.clone()));
    }

    /// Notes what the engine will refuse. A value that the parser has complained of already is not
    /// noted again.
    pub(super) fn complain(&mut self, complaint: Complaint, place: &Place) {
        let is_of_value =
            matches!(complaint, Complaint::NotANumber { .. } | Complaint::BadValue { .. });
        let complaint = Spanned::new(complaint, place.clone());
        if !is_of_value || !self.invocation.complaints.contains(&complaint) {
            self.invocation.complaints.push(complaint);
        }
    }

    /// Notes words that have no business on the command line; of backslashes, the first.
    pub(super) fn no_more(&mut self, words: &[Word]) {
        let mut is_continued = false;
        for word in words {
            if StrayWord::of(&word.text).is_some_and(StrayWord::is_continued) {
                if is_continued {
                    continue;
                }
                is_continued = true;
            }
            let complaint = Complaint::ExtraWord { word: word.text.clone() };
            self.complain(complaint, &word.place);
        }
    }

    /// Notes where downloads from the hub are kept: `setting`, else what the variables of the hub's
    /// own client say, else below the home of root.
    pub(super) fn hub_cache(&mut self, setting: Option<Setting>) {
        self.hub_cache_by(setting, &cache_variables::PYTHON);
    }

    /// The same of a program that reads other variables, or reads them otherwise.
    pub(super) fn hub_cache_by(&mut self, setting: Option<Setting>, variables: &CacheVariables) {
        if setting.is_some() {
            self.invocation.hub_cache = self.cache_in(setting, "");
            return;
        }
        let asked = Asked {
            service: self.service,
            environment: &self.environment,
            working_dir: self.working_dir.as_ref(),
        };
        let said = asked.cache(variables);
        self.invocation.hub_cache = match said {
            Ok(Some(cache)) => Some(cache),
            Ok(None) => self.cache_at_home(),
            Err(Spanned { value, place }) => {
                self.unread(value, &place);
                None
            }
        };
    }

    fn cache_at_home(&mut self) -> Option<HubCache> {
        if let Some(home) = self.variable("HOME") {
            return self.cache_in(Some(home), BELOW_HOME);
        }
        let path = ServicePath::new(Path::new(home_of_user(self.service)?).join(BELOW_HOME));
        let is_reached = || {
            let mut mounts = self.service.mounts.iter();
            mounts.any(|it| path.below(&it.target).is_some() || it.target.below(&path).is_some())
        };
        if !self.knows_variables() && !is_reached() {
            return None;
        }
        Some(HubCache { path, by: None, place: Place::nowhere(), nothing: false })
    }

    /// Whether all variables of the process are known: those of an image of one's own are not, unless
    /// Docker has told of it. Every image sets the first.
    fn knows_variables(&self) -> bool {
        let service = self.service;
        let is_told = service.observed || service.environment.contains_key("PATH");
        self.invocation.stock || is_told || service.image.is_none()
    }

    fn cache_in(&mut self, setting: Option<Setting>, below: &str) -> Option<HubCache> {
        let by = setting.as_ref().map(|setting| setting.by.clone());
        let folder = self.folder(setting)?;
        let path = folder.value.join(below);
        Some(HubCache { path, by, place: folder.place, nothing: false })
    }
}

/// The variables that Compose has expanded to nothing in the words of a service, each once.
fn unset(service: &Service) -> Vec<UnsetVariable> {
    let mut unset: Vec<UnsetVariable> = Vec::new();
    let variables = service.words().flat_map(|word| &word.place.variables);
    for variable in variables.filter(|variable| variable.set_by == VariableSource::Unset) {
        if unset.iter().all(|known| known.name != variable.name) {
            let set = service.environment.get(&variable.name);
            let set = set.filter(|value| value.value.as_ref().is_some_and(|text| !text.is_empty()));
            unset.push(UnsetVariable {
                name: variable.name.clone(),
                set_in_service: set.map(|value| value.place.clone()),
            });
        }
    }
    unset
}
