//! Holds a journal against its own hashes and against its head anchor. Pure.
//!
//! A record may be ahead of the anchor by one in each run: the program died between the two, or is between them now.
//! That is said, and no tampering. Anything else is: an anchor ahead of its run, another record where the anchor
//! names one, an anchor that stops early.

use sha2::{Digest, Sha256};

use super::{
    anchor::{Anchored, Head},
    store::Stored,
};
use crate::runbook::{build::hex, run::RunId};

/// What the anchor says of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchoredAt {
    Head(Head),
    /// It does not know the run, or there is none.
    Nothing,
    /// It moved past what was read, while it was read: the head as it was before, if there was one.
    Moved(Option<Head>),
    /// The journal's layout has no anchor.
    NotKept,
}

impl AnchoredAt {
    /// A run whose record ends at `last`, read between two looks at the anchor: another process may append meanwhile.
    #[must_use]
    pub fn between(before: &Anchored, after: &Anchored, run: RunId, last: u64) -> Self {
        let at = |anchored: &Anchored| match anchored {
            Anchored::Heads(heads) => heads.get(&run).cloned(),
            _ => None,
        };
        match (at(before), at(after)) {
            _ if *before == Anchored::NotKept => Self::NotKept,
            (earlier, Some(later)) if later.seq > last && earlier.as_ref().is_none_or(|head| head.seq <= last) => {
                Self::Moved(earlier)
            }
            (_, Some(later)) => Self::Head(later),
            (_, None) => Self::Nothing,
        }
    }
}

/// The first thing that is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// None: it is about the anchor itself.
    pub run: Option<RunId>,
    /// 0: the run as a whole.
    pub seq: u64,
    pub what: String,
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.run, self.seq) {
            (None, _) => write!(f, "the head anchor: {}", self.what),
            (Some(run), 0) => write!(f, "run {run}: {}", self.what),
            (Some(run), seq) => write!(f, "run {run}, record {seq}: {}", self.what),
        }
    }
}

/// What a check of the whole journal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    pub runs: u64,
    pub records: u64,
    /// Newest records that the anchor does not cover: whole, but nobody could tell if they were cut off again.
    pub uncovered: Vec<(RunId, u64)>,
    pub anchored: Anchored,
    /// At most one for each run, the first.
    pub breaks: Vec<Break>,
}

/// The answer in one word and, when broken, its first place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// `uncovered`: newest records that the anchor does not know yet.
    Whole { runs: u64, records: u64, uncovered: u64 },
    /// `seq` 0: the run as a whole; run 0: the anchor itself.
    Broken { run: RunId, seq: u64, what: String },
}

impl Examination {
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.breaks.first().map_or_else(
            || Chain::Whole { runs: self.runs, records: self.records, uncovered: self.uncovered.len() as u64 },
            |found| Chain::Broken { run: found.run.unwrap_or(RunId(0)), seq: found.seq, what: found.what.clone() },
        )
    }
}

/// Whether the newest record of a run is one that the anchor does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    Covered,
    Lags,
}

impl Stored {
    /// Holds every record against its hash and its neighbours, and the last against the anchor.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<Coverage, Break> {
        let broken = |seq: u64, what: String| Break { run: Some(self.run), seq, what };
        let mut prev = hex(&Sha256::digest(self.plan.as_bytes()));
        if self.records.is_empty() {
            return Err(broken(1, "the record is missing".to_owned()));
        }
        for (n, record) in self.records.iter().enumerate() {
            let seq = n as u64 + 1;
            let wrong = if record.seq != seq || record.run != self.run {
                Some("the record is missing or out of its order")
            } else if record.prev != prev {
                Some(if seq == 1 { "the stored plan was changed" } else { "it does not follow the record before" })
            } else if record.hash != record.expected_hash() {
                Some("the record was changed")
            } else {
                None
            };
            if let Some(what) = wrong {
                return Err(broken(seq, what.to_owned()));
            }
            prev.clone_from(&record.hash);
        }
        if app_of(&self.plan).as_ref() != Some(&self.app) {
            return Err(broken(0, "the app that the interlock goes by is not the plan's".to_owned()));
        }
        let last = self.records.len() as u64;
        let head = match &self.anchored {
            AnchoredAt::NotKept => return Ok(Coverage::Covered),
            AnchoredAt::Nothing | AnchoredAt::Moved(None) => None,
            AnchoredAt::Head(head) | AnchoredAt::Moved(Some(head)) => Some(head),
        };
        if let Some(head) = head {
            let Some(record) = self.records.get(head.seq as usize - 1) else {
                let what = format!("the record is missing: the anchor knows {} records of the run", head.seq);
                return Err(broken(last + 1, what));
            };
            if record.hash != head.hash {
                return Err(broken(head.seq, "it is not the record that the anchor names".to_owned()));
            }
        }
        if matches!(self.anchored, AnchoredAt::Moved(_)) {
            return Ok(Coverage::Covered);
        }
        let known = head.map_or(0, |head| head.seq);
        match last - known {
            0 => Ok(Coverage::Covered),
            1 => Ok(Coverage::Lags),
            more => {
                Err(broken(known + 1, format!("the anchor knows neither this record nor the {} after it", more - 1)))
            }
        }
    }
}

fn app_of(plan: &str) -> Option<String> {
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    plan.pointer("/plan/app")?.as_str().map(str::to_owned)
}

/// The whole journal: its runs, oldest first, and what its anchor says.
#[must_use]
pub fn examine(runs: &[Stored], anchored: Anchored) -> Examination {
    let mut breaks: Vec<Break> = Vec::new();
    match &anchored {
        Anchored::Damaged(why) => breaks.push(Break { run: None, seq: 0, what: why.clone() }),
        Anchored::Missing if !runs.is_empty() => {
            breaks.push(Break { run: None, seq: 0, what: "the file is missing".to_owned() });
        }
        _ => {}
    }
    let mut uncovered = Vec::new();
    let mut next = 1;
    for stored in runs {
        missing_runs(next, stored.run.0, &mut breaks);
        next = stored.run.0 + 1;
        match stored.check() {
            Ok(Coverage::Covered) => {}
            Ok(Coverage::Lags) => uncovered.push((stored.run, stored.records.len() as u64)),
            // Without a readable anchor each run would say the same.
            Err(found) if anchored_by_none(&anchored) && found.what.starts_with("the anchor") => {}
            Err(found) => breaks.push(found),
        }
    }
    if let Anchored::Heads(heads) = &anchored
        && let Some((newest, _)) = heads.last_key_value()
    {
        missing_runs(next, newest.0 + 1, &mut breaks);
    }
    let records = runs.iter().map(|stored| stored.records.len() as u64).sum();
    Examination { runs: runs.len() as u64, records, uncovered, anchored, breaks }
}

const fn anchored_by_none(anchored: &Anchored) -> bool {
    matches!(anchored, Anchored::Missing | Anchored::Damaged(_))
}

/// More than these are not named one by one: the number of a run may itself be damaged.
const NAMED_MAX: u64 = 100;

fn missing_runs(from: u64, below: u64, breaks: &mut Vec<Break>) {
    for run in from..below.min(from.saturating_add(NAMED_MAX)) {
        breaks.push(Break { run: Some(RunId(run)), seq: 0, what: "the run is missing".to_owned() });
    }
}
