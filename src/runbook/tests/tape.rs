//! A run of two steps, played record by record.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{CallDescription, Hazard, SafeText, Side, StepId, Timestamp, compliance::RtoEstimate},
    runbook::{
        build::{Frozen, FrozenStep},
        event::{Entry, Event, Outcome},
        finding::Traces,
        fold::{self, Course},
        foreign,
        guards::LossBound,
        plan::{GuardReading, Holds, Plan, PlanHash, PlannedStep},
        run::{Answer, Ask, Declaration, RunId},
        spec::{Guard, GuardSpec, OnFailure, Only, RunbookKind, Variant},
    },
};

const T0: i64 = 1_800_000_000;

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(T0 + secs)
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn call() -> CallDescription {
    CallDescription {
        service: "rds".into(),
        operation: "FailoverGlobalCluster".into(),
        region: "ap-south-2".into(),
        params: vec![("AllowDataLoss".into(), "true".into())],
        hazard: Hazard::DataLoss,
        iam_actions: vec!["rds:FailoverGlobalCluster".into()],
    }
}

pub(super) fn guard_specs() -> Vec<GuardSpec> {
    vec![
        GuardSpec {
            guard: Guard::LagAtMost { component: None, limit: secs(5), in_outage_last_sample: true },
            overridable: false,
        },
        GuardSpec { guard: Guard::Fenced { side: Side::Primary }, overridable: true },
    ]
}

pub(super) fn reading(text: &str, holds: Holds, figure: Option<u64>, overridable: bool) -> GuardReading {
    GuardReading {
        made_true_by: None,
        text: text.into(),
        present: "as it is".into(),
        data_time: None,
        holds,
        overridable,
        overridden: None,
        figure,
    }
}

pub(super) fn readings(fence: Holds) -> Vec<GuardReading> {
    vec![reading("lag at most 5 s", Holds::Yes, Some(800), false), reading("Mumbai cannot write", fence, None, true)]
}

pub(in crate::runbook) fn frozen(hazard: Hazard) -> Arc<Frozen> {
    let planned = |id: &str, kind: &str, hazard, after: Vec<StepId>| PlannedStep {
        id: id.into(),
        title: id.into(),
        kind: kind.into(),
        calls: if hazard == Hazard::None { Vec::new() } else { vec![call()] },
        summary: "".into(),
        hazard,
        expected: secs(10),
        expected_basis: "declared".into(),
        timeout: secs(600),
        guards: Vec::new(),
        done_when: "".into(),
        undo: "none".into(),
        on_failure: OnFailure::Park,
        after,
        retries: 0,
        retry_every: Duration::ZERO,
        only: Only::Always,
        loss: None,
    };
    let step = |id: &str, kind: &str, guards| FrozenStep {
        id: id.into(),
        kind: kind.into(),
        params: std::collections::BTreeMap::new(),
        guards,
    };
    let plan = Plan {
        hash: PlanHash("7c41e2".into()),
        runbook: "payments-failover".into(),
        title: "Move Payments".into(),
        kind: RunbookKind::Failover,
        variant: Variant::Whole,
        parameters: std::collections::BTreeMap::new(),
        app: "payments".into(),
        app_name: "Payments".into(),
        target: Side::Recovery,
        target_region: "ap-south-2".into(),
        target_name: "Hyderabad".into(),
        account: "111122223333".into(),
        mode_word: "SIMULATED ×30".into(),
        made_at: at(0),
        facts_at: None,
        steps: vec![
            planned("gone", "check", Hazard::None, Vec::new()),
            planned("promote", "aurora.failover-global", hazard, vec!["gone".into()]),
        ],
        interlocks: Vec::new(),
        estimate: RtoEstimate {
            detection: secs(0),
            decision: secs(0),
            execution: secs(20),
            dns_ttl: secs(0),
            verification: secs(0),
            basis: "declared".into(),
        },
        rto_target: None,
        outage_since: None,
    };
    Arc::new(Frozen {
        plan,
        runbook_digest: "d".into(),
        steps: vec![step("gone", "check", Vec::new()), step("promote", "aurora.failover-global", guard_specs())],
        components: std::collections::BTreeMap::new(),
        stood: foreign::Stood::default(),
        zone: "UTC".to_owned(),
    })
}

pub(super) fn declaration() -> Declaration {
    Declaration {
        who: "asha".into(),
        incident: "INC-4471".into(),
        app: "payments".into(),
        region: "hyderabad".into(),
        outage_at: None,
        wave: None,
    }
}

pub(super) fn entry(secs: i64, event: Event) -> Entry {
    Entry { at: at(secs), actor: SafeText::new("asha (arn)"), event }
}

pub(super) fn begin(hazard: Hazard) -> (Course, Vec<Entry>) {
    let declared = entry(
        0,
        Event::Declared { plan_hash: PlanHash("7c41e2".into()), declaration: declaration(), principal: "arn".into() },
    );
    (fold::begin(RunId(1), frozen(hazard), &declared).expect("a run"), vec![declared])
}

pub(super) struct Tape {
    pub(super) course: Course,
    pub(super) entries: Vec<Entry>,
    pub(super) now: i64,
}

impl Tape {
    pub(super) fn new(hazard: Hazard) -> Self {
        let (course, entries) = begin(hazard);
        Self { course, entries, now: 0 }
    }

    pub(super) fn put(&mut self, event: Event) -> &mut Self {
        self.now += 1;
        let entry = entry(self.now, event);
        self.course = fold::apply(self.course.clone(), &entry).expect("legal");
        self.entries.push(entry);
        self
    }

    pub(super) fn refuses(&self, event: Event) -> bool {
        fold::apply(self.course.clone(), &entry(self.now + 1, event)).is_err()
    }

    pub(super) fn answer(&mut self, answer: Answer) -> &mut Self {
        self.put(Event::Answered { answer })
    }

    /// The check is done, `promote` is being checked.
    pub(super) fn at_promote(hazard: Hazard) -> Self {
        let mut tape = Self::new(hazard);
        tape.put(Event::Begun { step: "gone".into(), attempt: 1 })
            .put(Event::Done { step: "gone".into(), detail: "4/4".into() })
            .put(Event::Begun { step: "promote".into(), attempt: 1 });
        tape
    }

    pub(super) fn confirmed(&mut self) -> &mut Self {
        self.put(Event::Asked { ask: Ask::Key { step: "promote".into() } })
            .answer(Answer::Go { step: "promote".into() })
    }

    pub(super) fn intended(&mut self) -> &mut Self {
        self.put(Event::Intended {
            step: "promote".into(),
            attempt: 1,
            plan_hash: PlanHash("7c41e2".into()),
            call: call(),
            request_digest: "r".into(),
            guards: readings(Holds::Yes),
            traces: Traces::default(),
        })
    }

    pub(super) fn sent(&mut self) -> &mut Self {
        self.put(Event::Sent { step: "promote".into(), attempt: 1, request_digest: "r".into() })
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) -> &mut Self {
        self.put(Event::Outcome { step: "promote".into(), attempt: 1, outcome })
    }
}

pub(super) fn loss(secs_lost: u64) -> LossBound {
    LossBound { bound: Some(secs(secs_lost)), since: None, lines: Vec::new() }
}
