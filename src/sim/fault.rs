//! What can be made to go wrong, as JSON that `sim inject`, `POST /_sim/inject` and scenario files share.
//!
//! A fault is in force from `from` until `until` (estate time). Faults are kept after they end, because history
//! must stay as it was: a metric that was missing at 02:57 is still missing when it is asked for at 04:00.

use serde::{Deserialize, Serialize};

use crate::domain::{
    RegionId, Timestamp,
    scenario::{FaultParam, FaultShape, FaultSpec, FaultWords},
};

const HOW: FaultParam = need("how", FaultShape::Word(&["refuse", "blackhole", "slow", "5xx"]));
const REGION: FaultParam = need("region", FaultShape::Region);

/// Words of AWS for an instance that needs a hand; not all of them.
const STUCK: &[&str] = &["failed", "incompatible-restore", "incompatible-parameters", "incompatible-network"];

const fn need(name: &'static str, shape: FaultShape) -> FaultParam {
    FaultParam { name, shape, required: true }
}

const fn may(name: &'static str, shape: FaultShape) -> FaultParam {
    FaultParam { name, shape, required: false }
}

/// Every fault word, as scenario files may write it.
pub const CATALOGUE: &[FaultSpec] = &[
    FaultSpec { word: "region-down", params: &[REGION, HOW], doc: "A Region with its workload." },
    FaultSpec {
        word: "service-down",
        params: &[REGION, need("service", FaultShape::Text), HOW],
        doc: "One service's API; the workload goes on.",
    },
    FaultSpec {
        word: "throttling",
        params: &[REGION, may("service", FaultShape::Text), need("share", FaultShape::UpTo(1.0))],
        doc: "Refuses this share of calls.",
    },
    FaultSpec {
        word: "reply-lost",
        params: &[
            may("service", FaultShape::Text),
            may("operation", FaultShape::Text),
            need("count", FaultShape::Count),
        ],
        doc: "Calls take effect and are not answered.",
    },
    FaultSpec {
        word: "late-effect",
        params: &[
            may("service", FaultShape::Text),
            may("operation", FaultShape::Text),
            need("count", FaultShape::Count),
            need("after_seconds", FaultShape::Count),
            need("answer", FaultShape::Word(&["blackhole", "lost", "5xx"])),
        ],
        doc: "Calls are not answered and take effect later.",
    },
    FaultSpec {
        word: "stale-reads",
        params: &[
            need("service", FaultShape::Text),
            may("region", FaultShape::Region),
            may("operation", FaultShape::Text),
            need("seconds", FaultShape::Count),
        ],
        doc: "Reads answer as of some seconds ago.",
    },
    FaultSpec {
        word: "lag-growth",
        params: &[need("target", FaultShape::Text), need("millis_per_second", FaultShape::UpTo(1e6))],
        doc: "A stream's lag grows, and falls back afterwards.",
    },
    FaultSpec {
        word: "jobs-fail",
        params: &[
            need("resource", FaultShape::Text),
            may("job", FaultShape::Word(&["backup", "copy", "restore"])),
            need("message", FaultShape::Text),
        ],
        doc: "Backup, copy or restore jobs of a resource fail.",
    },
    FaultSpec {
        word: "instance-stuck",
        params: &[need("instance", FaultShape::Text), need("status", FaultShape::Word(STUCK))],
        doc: "A database instance is in a state that it does not leave by itself.",
    },
    FaultSpec {
        word: "vault-missing",
        params: &[REGION, need("vault", FaultShape::Text)],
        doc: "A backup vault is gone.",
    },
    FaultSpec {
        word: "key-unusable",
        params: &[REGION, need("vault", FaultShape::Text)],
        doc: "The KMS key of a backup vault is disabled.",
    },
    FaultSpec {
        word: "program-ends",
        params: &[
            need("program", FaultShape::Text),
            need("how", FaultShape::Word(&["fails", "cut-before", "cut-after"])),
        ],
        doc: "Runs of a program end like this.",
    },
    FaultSpec {
        word: "control-plane-impaired",
        params: &[HOW],
        doc: "Route 53 cannot be changed; its answers and health checks go on.",
    },
    FaultSpec { word: "credentials-expired", params: &[REGION], doc: "Credentials are refused as expired." },
];

/// What a scenario says, as a fault.
///
/// # Errors
/// When the catalogue and the faults have drifted apart.
pub fn of_words(words: &FaultWords) -> Result<FaultKind, String> {
    serde_json::to_value(words).and_then(serde_json::from_value).map_err(|error| format!("{}: {error}", words.fault))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Number given by the simulator, from 1.
    #[serde(default)]
    pub id: u64,
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Estate time; the simulator fills in its own now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Estate time; none = until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Fault {
    #[must_use]
    pub fn in_force(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The whole Region; its workload is gone too: metrics of things in it stop, replication from it stops.
    RegionDown { region: RegionId, how: Down },
    /// One service's API in one Region; the workload goes on.
    ServiceDown { region: RegionId, service: String, how: Down },
    /// Answers `Throttling` to this share of calls (0..=1).
    Throttling {
        region: RegionId,
        #[serde(default)]
        service: Option<String>,
        share: f64,
    },
    /// The next `count` matching calls take effect and their answer is lost.
    ReplyLost {
        #[serde(default)]
        service: Option<String>,
        #[serde(default)]
        operation: Option<String>,
        count: u32,
    },
    /// The next `count` matching calls that would change something are not answered, and take effect only
    /// `after_seconds` (estate time) later, in the world as it is then. It may be refused then, as any other.
    LateEffect {
        #[serde(default)]
        service: Option<String>,
        #[serde(default)]
        operation: Option<String>,
        count: u32,
        after_seconds: u64,
        answer: LateAnswer,
    },
    /// Reads of the service answer as of so many seconds ago (estate time) while in force: eventual consistency.
    StaleReads {
        service: String,
        #[serde(default)]
        region: Option<RegionId>,
        #[serde(default)]
        operation: Option<String>,
        seconds: u64,
    },
    /// Replication lag of a component's stream (by cluster, instance, table, bucket or task id) grows by so many
    /// milliseconds per second while in force, and falls back afterwards.
    LagGrowth { target: String, millis_per_second: f64 },
    /// Backup or copy jobs of a resource (ARN) fail with this message while in force.
    JobsFail {
        resource: String,
        #[serde(default)]
        job: Option<String>,
        message: String,
    },
    /// A DB instance (by identifier) is in that state while in force, from its making on if it is yet to be made.
    InstanceStuck { instance: String, status: Stuck },
    /// A backup vault is gone: reads say that it does not exist, jobs with it fail.
    VaultMissing { region: RegionId, vault: String },
    /// The KMS key of a backup vault is disabled or out of reach: jobs that write to it or restore from it fail.
    KeyUnusable { region: RegionId, vault: String },
    /// Runs of a program (absolute path) end like this.
    ProgramEnds { program: String, how: ProgramEnd },
    /// The Route 53 control plane in us-east-1 answers 5xx or throttles; DNS answers and health checks go on.
    ControlPlaneImpaired { how: Down },
    /// Credentials are answered as expired in this Region.
    CredentialsExpired { region: RegionId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stuck {
    Failed,
    IncompatibleRestore,
    IncompatibleParameters,
    IncompatibleNetwork,
}

impl Stuck {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => STUCK[0],
            Self::IncompatibleRestore => STUCK[1],
            Self::IncompatibleParameters => STUCK[2],
            Self::IncompatibleNetwork => STUCK[3],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramEnd {
    /// With status 1, nothing done.
    Fails,
    /// Killed before it did anything.
    CutBefore,
    /// Killed when everything was done.
    CutAfter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    Refuse,
    #[serde(alias = "black-hole")]
    Blackhole,
    /// Answers after this many milliseconds of wall time.
    Slow,
    #[serde(rename = "5xx", alias = "server-error")]
    ServerError,
}

/// What the caller of a call with a late effect gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LateAnswer {
    /// Nothing: its own time-out ends it.
    #[serde(alias = "black-hole")]
    Blackhole,
    /// The connection breaks.
    Lost,
    #[serde(rename = "5xx", alias = "server-error")]
    ServerError,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::scenario::FaultValue;

    fn sample(shape: FaultShape) -> FaultValue {
        match shape {
            FaultShape::Region => FaultValue::Text("ap-south-1".to_owned()),
            FaultShape::Text => FaultValue::Text("rds".to_owned()),
            FaultShape::Word(words) => FaultValue::Text(words[0].to_owned()),
            FaultShape::Count => FaultValue::Count(1),
            FaultShape::UpTo(most) => FaultValue::Number(most),
        }
    }

    #[test]
    fn every_fault_word_can_stand_in_a_scenario() {
        let unknown = serde_json::from_str::<FaultKind>(r#"{"fault":"?"}"#).unwrap_err().to_string();
        let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert_eq!(known, CATALOGUE.iter().map(|spec| spec.word).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_scenario_may_say_of_a_fault_is_what_a_fault_takes() {
        for spec in CATALOGUE {
            let all: BTreeMap<&'static str, FaultValue> =
                spec.params.iter().map(|param| (param.name, sample(param.shape))).collect();
            let with = |values: BTreeMap<&'static str, FaultValue>| of_words(&FaultWords { fault: spec.word, values });
            with(all.clone()).unwrap();
            for param in spec.params {
                let mut less = all.clone();
                less.remove(param.name);
                assert_eq!(with(less).is_err(), param.required, "{} without {}", spec.word, param.name);
                if let FaultShape::Word(words) = param.shape {
                    for word in words {
                        let mut other = all.clone();
                        other.insert(param.name, FaultValue::Text((*word).to_owned()));
                        with(other).unwrap();
                    }
                }
            }
            let mut more = all;
            more.insert("surprise", FaultValue::Count(1));
            assert!(with(more).is_err(), "{}", spec.word);
        }
    }
}
