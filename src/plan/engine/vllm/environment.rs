//! The values of vLLM's own variables (vllm/envs.py).

use crate::plan::engine::Complaint;
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::words::Variable;

static VALUES: FlagTable = FlagTable::new(include_str!("variable-values.txt"));

/// The first release of those that were read whose engine asks for every variable at its start
/// (v1/engine/core.py `enable_envs_cache`; 0.10.2 does not). Older ones ask for one when they need it.
const ASKS_FOR_ALL_SINCE: [u32; 3] = [0, 11, 2];

/// The variable that every release for CPUs needs (platforms/cpu.py `check_and_update_config`).
const OF_CPU: &str = "VLLM_CPU_KVCACHE_SPACE";

/// Complains of the variables whose values vLLM cannot read.
pub(super) fn values(is_for_cpu: bool, reading: &mut Reading<'_>) {
    let release = reading.release();
    let asks_for_all =
        release.as_deref().is_some_and(|release| ASKS_FOR_ALL_SINCE.as_slice() <= release);
    for name in reading.environment.names() {
        let Variable::Set(word) = reading.environment.variable(&name) else { continue };
        let name = name.as_str();
        let known = VALUES.known(name, release.as_deref());
        let Some(form) = known.form.filter(|_| known.standing != Standing::Missing) else {
            continue;
        };
        let is_asked = asks_for_all || is_for_cpu && name == OF_CPU;
        let is_certain = is_asked && known.standing == Standing::Here;
        let expected = form.expects(&word.text).filter(|_| word.unknown.is_none());
        if let Some(expected) = expected {
            let (by, value) = (name.to_owned(), word.text.clone());
            let complaint = Complaint::BadValue { by, value, expected, is_certain };
            reading.complain(complaint, &word.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::engine::{Complaint, invocation};
    use crate::project::Service;
    use crate::source_map::Spanned;

    /// Whether a value is refused, and whether that is certain.
    fn refused(image: &str, name: &str, value: &str) -> Option<bool> {
        let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
        service.image = Some(Spanned::nowhere(image.to_owned()));
        service.command = Some(vec![Spanned::nowhere("/m".to_owned())]);
        service.environment.insert(name.to_owned(), Spanned::nowhere(Some(value.to_owned())));
        let complaints = invocation(&service).unwrap().complaints;
        complaints.iter().find_map(|complaint| {
            let Complaint::BadValue { is_certain, .. } = complaint.value else { return None };
            Some(is_certain)
        })
    }

    #[test]
    fn a_variable_that_is_no_number_is_refused_where_the_release_asks_for_it() {
        let space = "VLLM_CPU_KVCACHE_SPACE";
        for (image, name, value, expected) in [
            ("vllm/vllm-openai-cpu:v0.12.0", space, "8G", Some(true)),
            ("vllm/vllm-openai-cpu:v0.12.0", space, "", Some(true)),
            ("vllm/vllm-openai-cpu:v0.12.0", space, "8", None),
            ("vllm/vllm-openai-cpu:v0.9.2", space, "8G", Some(true)),
            ("vllm/vllm-openai:v0.9.2", space, "8G", Some(false)),
            ("vllm/vllm-openai:v0.12.0", space, "8G", Some(true)),
            ("vllm/vllm-openai-cpu:latest", space, "8G", Some(false)),
            ("vllm/vllm-openai:v0.12.0", "VLLM_CONFIGURE_LOGGING", "true", Some(true)),
            ("vllm/vllm-openai:v0.12.0", "VLLM_ALL2ALL_BACKEND", "pplx", None),
            ("vllm/vllm-openai:v0.12.0", "VLLM_ALL2ALL_BACKEND", "none", Some(true)),
            // It is none of that release's.
            ("vllm/vllm-openai:v0.33.0", "VLLM_ALL2ALL_BACKEND", "none", None),
        ] {
            assert_eq!(refused(image, name, value), expected, "{image} {name}={value}");
        }
    }
}
