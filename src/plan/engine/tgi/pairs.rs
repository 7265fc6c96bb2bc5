//! Settings that the launcher, or the server behind it, refuses beside each other (launcher/src/main.rs
//! `main` and `find_num_shards`, server/text_generation_server/cli.py, 1.4.0 to 3.3.7).

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::{Complaint, Refusal, hugging_face};

const INPUT: &str = "--max-input-tokens";
const OLD_INPUT: &str = "--max-input-length";
const TOTAL: &str = "--max-total-tokens";
const BATCH: &str = "--max-batch-total-tokens";
const PREFILL: &str = "--max-batch-prefill-tokens";
const SHARDS: &str = "--num-shard";
const WORKERS: &str = "--validation-workers";

/// Complains of what is refused.
pub(super) fn judge(arguments: &Arguments, reading: &mut Reading<'_>) {
    let settings = Settings { arguments, reading };
    let refused =
        [settings.limits(), settings.shards(), settings.excluded(), settings.graphs()].concat();
    for (Setting { word, by }, why) in refused {
        let fix = format!("correct or remove `{by}`");
        let complaint = Complaint::Refused(Refusal { why, fix, is_certain: true });
        reading.complain(complaint, &word.place);
    }
}

/// A setting, and what is refused of it.
type Refused = Vec<(Setting, String)>;

struct Settings<'a, 'r> {
    arguments: &'a Arguments,
    reading: &'a Reading<'r>,
}

impl Settings<'_, '_> {
    fn get(&self, flag: &str) -> Option<Setting> {
        hugging_face::setting(self.arguments, self.reading, flag)
    }

    fn number(&self, flag: &str) -> Option<(Setting, u64)> {
        let setting = self.get(flag)?;
        let number = setting.text()?.parse().ok()?;
        Some((setting, number))
    }

    fn input(&self) -> &'static str {
        if self.get(INPUT).is_some() { INPUT } else { OLD_INPUT }
    }

    fn limits(&self) -> Refused {
        let input = self.input();
        let mut limits = vec![(input, TOTAL, true), (TOTAL, BATCH, false)];
        // Releases since then cut what does not fit.
        if !self.reading.invocation.is_since([2, 4, 0]) {
            limits.extend([(input, PREFILL, false), (PREFILL, BATCH, false)]);
        }
        let above = |(flag, limit, is_strict): (&str, &str, bool)| {
            let ((setting, number), (other, most)) = (self.number(flag)?, self.number(limit)?);
            let is_above = most < number || is_strict && most == number;
            let below = if is_strict { "below" } else { "at most" };
            let why = format!(
                "`{}` is {number}, and has to be {below} the {most} of `{}`",
                setting.by, other.by
            );
            is_above.then_some((setting, why))
        };
        limits.into_iter().filter_map(above).collect()
    }

    fn shards(&self) -> Refused {
        let is_sharded = self.get("--sharded").is_some_and(|it| it.text() == Some("true"));
        let shards = self.number(SHARDS).and_then(|(setting, number)| match number {
            0 => Some((format!("`{}` is 0, which is refused", setting.by), setting)),
            1 if is_sharded => {
                Some((format!("`{}` is 1 beside `--sharded true`", setting.by), setting))
            }
            _ => None,
        });
        let workers = self.number(WORKERS).filter(|(_, number)| *number == 0);
        let workers = workers
            .map(|(setting, _)| (format!("`{}` is 0, which is refused", setting.by), setting));
        shards.into_iter().chain(workers).map(|(why, setting)| (setting, why)).collect()
    }

    fn graphs(&self) -> Refused {
        let is_list = |text: &str| text.split(',').all(|part| part.parse::<u64>().is_ok());
        let refused =
            self.get("--cuda-graphs").filter(|it| it.text().is_some_and(|it| !is_list(it)));
        let told = refused.map(|setting| {
            let why = format!("`{}` takes whole numbers with `,` between them", setting.by);
            (setting, why)
        });
        told.into_iter().collect()
    }

    fn excluded(&self) -> Refused {
        let mut refused = Vec::new();
        if let (Some(input), Some(old)) = (self.get(INPUT), self.get(OLD_INPUT)) {
            let why = format!("`{}` beside `{}` is refused", old.by, input.by);
            refused.push((old, why));
        }
        let decides = |it: &Setting| it.text().is_some_and(|it| !it.starts_with("bitsandbytes"));
        let quantize = self.get("--quantize").filter(decides);
        if let (Some(quantize), Some(dtype)) = (quantize, self.get("--dtype")) {
            let why = format!(
                "`{}` beside `{}` is refused: either says what the numbers are",
                dtype.by, quantize.by
            );
            refused.push((dtype, why));
        }
        refused
    }
}
