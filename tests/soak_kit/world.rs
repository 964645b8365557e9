//! The world that the steps act on, and its own record of what happened: the truth that the laws are held against.
//!
//! Must never: know what the engine believes. Whether it is asked for nonsense is for [`super::laws`] to see.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use pointsman::{
    domain::{CallDescription, Hazard, SafeText, StepId},
    runbook::{
        build::{FrozenStep, digest_of},
        event::Outcome,
        finding::{Finding, Observed, Traces},
        guards::LossBound,
        machine::{Ready, Survey},
        plan::{GuardReading, Holds, Override, PlannedStep},
        run::{Answer, Ruling},
    },
};

use super::{
    Weather,
    estate::{Ending, Estate, Ground, Nature, Role, call, left},
};

/// How far behind a stale read may be: less than what the engine waits before it believes that nothing happened.
const STALE_MAX: u64 = 18_000;
/// How a console says that something is in the way which only a person may take away.
pub const IN_THE_WAY: &str = "must be deleted before another is made";

pub struct World {
    pub rng: Rng,
    weather: Weather,
    pub apps: Vec<AppState>,
    pub calls: Vec<Call>,
    pub surveys: Vec<Surveyed>,
    /// What people said, heard by the world rather than by the engine.
    pub words: Vec<Word>,
}

#[derive(Clone, Debug)]
pub struct AppState {
    pub old_writes: bool,
    pub new_writes: bool,
    gone_until: u64,
    expired_until: u64,
    pub flags: Vec<bool>,
    hands: Vec<(u64, SafeText)>,
    /// The calls of each step that landed, in their order.
    pub effects: BTreeMap<StepId, Vec<usize>>,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub run: usize,
    pub app: usize,
    pub step: StepId,
    pub digest: String,
    pub at: u64,
    /// Durable records of the run at that moment.
    pub recorded: usize,
    pub landed: Option<Landing>,
    pub two_writers: bool,
    outcome: Outcome,
}

/// What a call began.
#[derive(Clone, Copy, Debug)]
pub struct Landing {
    pub at: u64,
    pub ends: u64,
    pub ending: Ending,
    /// A person took away what was left of it.
    cleared: bool,
}

impl Landing {
    /// It came to its end by then, and in failure.
    pub fn failed(&self, by: u64) -> bool {
        self.ending != Ending::Whole && self.ends <= by
    }
}

/// What there is of a step's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Not,
    UnderWay,
    Whole,
    Wreck,
}

#[derive(Clone, Debug)]
pub struct Surveyed {
    pub run: usize,
    pub step: StepId,
    pub at: u64,
    /// Whether each guard was true, whatever was reported.
    pub truth: Vec<bool>,
}

#[derive(Clone, Debug)]
pub struct Word {
    pub run: usize,
    pub answer: Answer,
}

/// What a call brings, and when.
pub struct Sent {
    pub call: usize,
    pub answers_at: u64,
    pub lands_at: Option<u64>,
}

impl World {
    pub fn new(estate: &Estate, weather: Weather, rng: Rng) -> Self {
        let app = |flags: usize| AppState {
            old_writes: true,
            new_writes: false,
            gone_until: 0,
            expired_until: 0,
            flags: vec![true; flags],
            hands: Vec::new(),
            effects: BTreeMap::new(),
        };
        let apps = estate.apps.iter().map(|spec| app(spec.flags)).collect();
        Self { rng, weather, apps, calls: Vec::new(), surveys: Vec::new(), words: Vec::new() }
    }

    /// The storm is over: everything works, and stays so.
    pub fn clear_up(&mut self) {
        self.weather = Weather::Calm;
        for app in &mut self.apps {
            (app.gone_until, app.expired_until) = (0, 0);
            app.flags.fill(true);
        }
    }

    /// One change of the weather.
    pub fn turn(&mut self, now: u64) {
        let n = self.rng.usize(0..self.apps.len());
        let until = now + self.rng.u64(5_000..400_000);
        let app = &mut self.apps[n];
        match self.rng.u8(0..6) {
            0 => app.gone_until = until,
            1 => app.expired_until = now + self.rng.u64(1_000..60_000),
            2 if !app.old_writes => {
                app.old_writes = true;
                app.hands.push((now, SafeText::new(format!("somebody made the old side write at {now}"))));
            }
            2 => app.hands.push((now, SafeText::new(format!("somebody changed a tag at {now}")))),
            _ => {
                let flag = self.rng.usize(0..app.flags.len());
                app.flags[flag] ^= true;
            }
        }
    }

    fn storms(&mut self, percent: u32) -> bool {
        self.weather == Weather::Storm && self.rng.u32(0..100) < percent
    }

    /// How long one read or call takes.
    pub fn takes(&mut self) -> u64 {
        match self.rng.u8(0..100) {
            0..6 if self.weather == Weather::Storm => self.rng.u64(1_000..4_000),
            6..8 if self.weather == Weather::Storm => self.rng.u64(4_000..90_000),
            _ => self.rng.u64(30..300),
        }
    }

    fn stale(&mut self, now: u64) -> u64 {
        if self.storms(30) { now.saturating_sub(self.rng.u64(0..STALE_MAX)) } else { now }
    }

    pub fn read(&mut self, nature: &Nature, begun: u64, now: u64) -> Result<Finding, SafeText> {
        if self.storms(2) {
            return Err("the app is gone from the estate".into());
        }
        if self.storms(8) {
            return Ok(Finding::Failed("not so".into()));
        }
        let seen = self.stale(now);
        let so = seen >= begun + nature.takes;
        Ok(if so { Finding::Done("so".into()) } else { Finding::NotYet("not yet".into()) })
    }

    fn holds(&self, app: usize, ground: Ground) -> bool {
        match ground {
            Ground::Fenced => !self.apps[app].old_writes,
            Ground::Flag(flag) => self.apps[app].flags[flag],
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a survey is about, once")]
    pub fn survey(
        &mut self,
        run: usize,
        app: usize,
        nature: &Nature,
        step: &FrozenStep,
        planned: &PlannedStep,
        given: &[(usize, Override)],
        declared: u64,
        now: u64,
    ) -> Result<Survey, SafeText> {
        if self.storms(2) {
            return Err("facts cannot be read".into());
        }
        let truth: Vec<bool> = nature.rests_on.iter().map(|ground| self.holds(app, *ground)).collect();
        let gone = self.apps[app].gone_until > now;
        let mut guards = Vec::new();
        for (n, (so, ground)) in truth.iter().zip(&nature.rests_on).enumerate() {
            let blind = self.storms(3) || (gone && *ground == Ground::Fenced);
            let holds = if blind {
                Holds::Unknown
            } else if *so {
                Holds::Yes
            } else {
                Holds::No
            };
            let spec = &step.guards[n];
            let overridden =
                given.iter().rev().find(|(index, _)| *index == n).filter(|_| spec.overridable && holds != Holds::Yes);
            guards.push(GuardReading {
                text: SafeText::new(format!("{ground:?}")),
                present: "as it is".into(),
                data_time: None,
                holds,
                overridable: spec.overridable,
                overridden: overridden.map(|(_, given)| given.clone()),
                made_true_by: None,
                figure: (holds != Holds::Unknown).then(|| if *so { 100 } else { self.rng.u64(0..100) }),
            });
        }
        self.surveys.push(Surveyed { run, step: step.id.clone(), at: now, truth });
        let state = &self.apps[app];
        let foreign = state.hands.iter().filter(|(at, _)| *at > declared).map(|(_, line)| line.clone()).collect();
        let interlock = (state.expired_until > now).then(|| "caller unknown".into());
        let loss = (planned.hazard == Hazard::DataLoss).then(|| {
            let bound = (self.weather == Weather::Calm || self.rng.u8(0..8) != 0)
                .then(|| Duration::from_millis(5_000 + now.saturating_sub(declared) / 4));
            LossBound { bound, since: None, lines: Vec::new() }
        });
        Ok(Survey { guards, interlock, foreign, loss, read_at: Duration::from_millis(now) })
    }

    fn stands(&self, app: usize, step: &StepId, seen: u64) -> Stands {
        let mut stands = Stands::Not;
        let calls = self.apps[app].effects.get(step).into_iter().flatten();
        for landing in calls.filter_map(|call| self.calls[*call].landed).filter(|landing| landing.at <= seen) {
            match landing.ending {
                Ending::Whole if landing.ends <= seen => return Stands::Whole,
                _ if landing.ends > seen => stands = Stands::UnderWay,
                Ending::Wrecked if !landing.cleared && stands == Stands::Not => stands = Stands::Wreck,
                _ => {}
            }
        }
        stands
    }

    /// Whether it has happened by then, all of it.
    pub fn whole(&self, app: usize, step: &StepId, by: u64) -> bool {
        self.stands(app, step, by) == Stands::Whole
    }

    /// A person deletes what stands in the way.
    pub fn clears_away(&mut self, app: usize, step: &StepId) {
        for call in self.apps[app].effects.get(step).into_iter().flatten() {
            if let Some(landing) = &mut self.calls[*call].landed {
                landing.cleared = true;
            }
        }
    }

    pub fn prepare(&mut self, app: usize, planned: &PlannedStep, nature: &Nature, now: u64) -> Ready {
        if self.storms(3) {
            return Ready::NotNow("it cannot be read now".into());
        }
        let seen = self.stale(now);
        match self.stands(app, &planned.id, seen) {
            Stands::Whole => return Ready::AlreadyDone("it is so".into()),
            Stands::UnderWay => return Ready::Busy("it is under way".into()),
            Stands::Wreck => return Ready::NotNow(SafeText::new(format!("one that failed {IN_THE_WAY}"))),
            Stands::Not => {}
        }
        if planned.hazard == Hazard::Reversible && self.storms(1) {
            return Ready::PassOver("not needed here".into());
        }
        let token = self.rng.u32(..).to_string();
        let leaves = (nature.first_ends != Ending::Whole).then(|| left(app, &planned.id));
        let traces = Box::new(Traces { leaves, clears: None });
        Ready::Send { call: Box::new(call(&planned.id, &token, planned.hazard)), traces }
    }

    /// The call goes out. What becomes of it is settled here, whoever is there to hear the answer.
    pub fn send(&mut self, run: usize, app: usize, sent: &CallDescription, recorded: usize, now: u64) -> Sent {
        let step = StepId::new(sent.params[0].1.as_str());
        let refused = |code: &str| Outcome::Refused { code: code.into(), message: "no".into(), request_id: None };
        let unknown = || Outcome::Unknown { why: "no answer in time".into() };
        let fate = if self.weather == Weather::Storm { self.rng.u8(0..16) } else { 15 };
        let soon = now + self.takes();
        let late = now + self.rng.u64(1_000..=10_000);
        let (outcome, answers_at, lands_at) = match fate {
            _ if self.apps[app].expired_until > now => (refused("ExpiredToken"), soon, None),
            _ if self.stands(app, &step, now) == Stands::Wreck => (refused("AlreadyExists"), soon, None),
            0 => (refused("AccessDenied"), soon, None),
            1 => (refused("Throttling"), soon, None),
            2 | 3 => (unknown(), late, Some(soon.min(late))),
            4 => (unknown(), late, None),
            5 => (unknown(), late, Some(late + self.rng.u64(0..90_000))),
            _ => {
                let outcome = Outcome::Succeeded { request_id: Some("r".into()), detail: SafeText::default() };
                (outcome, soon, Some(soon))
            }
        };
        if matches!(outcome, Outcome::Unknown { .. }) && self.rng.u8(0..3) == 0 {
            // What swallowed the answer often hides the outcome too.
            let until = now + self.rng.u64(20_000..240_000);
            let gone = &mut self.apps[app].gone_until;
            *gone = until.max(*gone);
        }
        let digest = digest_of(sent);
        self.calls.push(Call { run, app, step, digest, at: now, recorded, landed: None, two_writers: false, outcome });
        Sent { call: self.calls.len() - 1, answers_at, lands_at }
    }

    pub fn answer(&self, call: usize) -> Outcome {
        self.calls[call].outcome.clone()
    }

    pub fn land(&mut self, call: usize, nature: &Nature, now: u64) {
        let record = &mut self.calls[call];
        let app = &mut self.apps[record.app];
        let begun = app.effects.entry(record.step.clone()).or_default();
        let ending = if begun.is_empty() { nature.first_ends } else { Ending::Whole };
        let takes = if ending == Ending::Whole { nature.takes } else { nature.takes / 2 };
        begun.push(call);
        record.landed = Some(Landing { at: now, ends: now + takes, ending, cleared: false });
        match nature.role {
            Role::Fence if ending != Ending::Whole => {} // the old side writes on
            Role::Fence => app.old_writes = false,
            // One that fails may have made the new side write before it did.
            Role::Promote => {
                app.new_writes = true;
                record.two_writers = app.old_writes;
            }
            Role::Read | Role::Ask | Role::Change => {}
        }
    }

    /// `own`: the call whose answer was heard, by what it asked for.
    pub fn look(&mut self, app: usize, step: &StepId, own: Option<&str>, now: u64) -> Observed {
        if self.storms(8) || self.apps[app].gone_until > now {
            return Observed::Unclear("it cannot be read".into());
        }
        let seen = self.stale(now);
        let heard = |call: &&Call| call.app == app && call.step == *step && Some(call.digest.as_str()) == own;
        let failed =
            || self.calls.iter().rev().find(heard).and_then(|call| call.landed).is_some_and(|l| l.failed(seen));
        match self.stands(app, step, seen) {
            Stands::Whole => Observed::Done("so".into()),
            Stands::UnderWay => Observed::InProgress("under way".into()),
            Stands::Wreck => Observed::Failed("it cannot become whole".into()),
            Stands::Not if failed() => Observed::Failed("its job failed".into()),
            Stands::Not => Observed::NotDone("as before".into()),
        }
    }

    /// What a person finds who looks for themselves; they may be wrong.
    pub fn ruling(&mut self, app: usize, step: &StepId) -> Ruling {
        let calls = self.apps[app].effects.get(step).into_iter().flatten();
        let landed = calls.filter_map(|call| self.calls[*call].landed).any(|landing| landing.ending == Ending::Whole);
        match (landed, self.storms(20)) {
            (true, false) | (false, true) => Ruling::Applied,
            _ => Ruling::NotApplied,
        }
    }

    /// What is left of it all, to be compared between runs of the same estate.
    pub fn standing(&self) -> String {
        let line = |(n, app): (usize, &AppState)| {
            let whole = |step: &&StepId| self.whole(n, step, u64::MAX);
            let steps: Vec<&str> = app.effects.keys().filter(whole).map(StepId::as_str).collect();
            format!("{} {} {}", app.old_writes, app.new_writes, steps.join(","))
        };
        self.apps.iter().enumerate().map(line).collect::<Vec<_>>().join("; ")
    }
}
