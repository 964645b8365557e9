//! Questions on standard input, one line each, and what a line means.
//!
//! Must never: assume an answer. The end of input is no answer; what is not understood is asked again.

use std::io::IsTerminal as _;

use crate::{
    domain::{RunbookId, SafeText, StepId, time::short},
    runbook::{
        run::{Answer, Ask, Declaration, Ruling, RunState},
        wave::WaveDeclaration,
    },
};

/// What a person said at a prompt of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Answer(Answer),
    /// Look at another runbook for this run, and declare it if it is right.
    Switch(RunbookId),
    /// The same for a drill that is needed in earnest.
    TurnReal,
}

/// What every prompt of a run takes besides its own answer.
pub const WAYS_OUT: &str = "or: skip REASON, abandon REASON, hold, release, note TEXT, switch RUNBOOK, turn-real";

/// Lines from standard input, read off the async runtime so that the run goes on while a prompt waits.
#[derive(Debug, Default)]
pub struct Prompts {
    /// Before each prompt where several runs are driven: which one asks.
    pub head: String,
}

impl Prompts {
    /// `None` at the end of input.
    pub async fn ask(&self, prompt: &str) -> Option<String> {
        use std::io::Write as _;
        // A person answers beside the prompt; a script reads whole lines.
        let head = &self.head;
        if std::io::stdin().is_terminal() {
            print!("{head}{prompt}> ");
        } else {
            println!("{head}{prompt}> ");
        }
        let _ = std::io::stdout().flush();
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            match std::io::stdin().read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line.trim().to_owned()),
            }
        });
        read.await.ok().flatten()
    }

    pub async fn declaration(&self, outage_at: Option<crate::domain::Timestamp>) -> Option<Declaration> {
        Some(Declaration {
            who: SafeText::new(self.ask("who").await?),
            incident: SafeText::new(self.ask("incident").await?),
            app: self.ask("app").await?,
            region: self.ask("region").await?,
            outage_at,
            wave: None,
        })
    }

    /// One declaration for a whole list: the phrase is typed as it stands.
    pub async fn wave(&self, phrase: &str, outage_at: Option<crate::domain::Timestamp>) -> Option<WaveDeclaration> {
        Some(WaveDeclaration {
            who: SafeText::new(self.ask("who").await?),
            incident: SafeText::new(self.ask("incident").await?),
            phrase: self.ask(&format!("wave \"{phrase}\"")).await?,
            outage_at,
        })
    }

    pub async fn held(&self, run: &RunState) -> Option<Said> {
        let step = unfinished(run);
        loop {
            let line = self.ask("held (release|abandon REASON)").await?;
            match other(&line, step.as_ref()) {
                Some(said) => return Some(said),
                None => println!("not understood: release, {WAYS_OUT}"),
            }
        }
    }

    pub async fn parked(&self, step: Option<StepId>) -> Option<Said> {
        let name = step.as_ref().map_or("run", StepId::as_str).to_owned();
        loop {
            let line = self.ask(&format!("parked {name} (retry|skip REASON|abandon REASON)")).await?;
            match (line.as_str(), &step) {
                ("retry", Some(step)) => return Some(Said::Answer(Answer::Retry { step: step.clone() })),
                _ => match other(&line, step.as_ref()) {
                    Some(said) => return Some(said),
                    None => println!("not understood: retry, {WAYS_OUT}"),
                },
            }
        }
    }

    /// The answer to what the run asks.
    pub async fn answer(&self, ask: &Ask, run: &RunState) -> Option<Said> {
        if let Some(planned) = ask.step().and_then(|id| run.plan.step(id)) {
            println!(
                "step {}: {} [{}], expected {}",
                planned.id,
                planned.title,
                planned.hazard,
                short(planned.expected)
            );
        }
        match ask {
            Ask::Key { step } => {
                self.exact(&format!("key {step}"), "go", step, Answer::Go { step: step.clone() }).await
            }
            Ask::Chord { step } => {
                let wanted = format!("go {step}");
                self.exact(&format!("chord {step}"), &wanted, step, Answer::Go { step: step.clone() }).await
            }
            Ask::Confirm { step, items } => {
                for item in items {
                    println!("  [ ] {item}");
                }
                self.exact(&format!("confirm {step}"), "done", step, Answer::Go { step: step.clone() }).await
            }
            Ask::Noticed { step, lines } => {
                println!("  changed, and no run of ours did it:");
                for line in lines {
                    println!("  [ ] {line}");
                }
                self.exact(&format!("noticed {step}"), "known", step, Answer::Go { step: step.clone() }).await
            }
            Ask::Loss { step, phrase, lines, .. } => {
                for line in lines {
                    println!("  {line}");
                }
                let then = Answer::AcceptLoss { step: step.clone(), typed: phrase.clone() };
                self.exact(&format!("loss {step} \"{phrase}\""), phrase, step, then).await
            }
            Ask::Override { step, guard, reading } => {
                println!("  guard {}: {}", reading.text, reading.present);
                let head = format!("override {step} \"{}\"", reading.text);
                let reason = self.ask(&format!("{head} reason")).await?;
                if let Some(said) = other(&reason, Some(step)) {
                    return Some(said);
                }
                let authoriser = self.ask(&format!("{head} authoriser")).await?;
                Some(Said::Answer(Answer::Override { step: step.clone(), guard: *guard, reason, authoriser }))
            }
            Ask::Verdict { step, question } => {
                println!("  {question}");
                let ruling = loop {
                    let line = self.ask(&format!("verdict {step} (applied|not-applied)")).await?;
                    match (line.as_str(), other(&line, Some(step))) {
                        ("applied", _) => break Ruling::Applied,
                        ("not-applied", _) => break Ruling::NotApplied,
                        (_, Some(said)) => return Some(said),
                        (wrong, None) => println!("not understood: {}", SafeText::new(wrong)),
                    }
                };
                let evidence = self.ask(&format!("verdict {step} evidence")).await?;
                Some(Said::Answer(Answer::Verdict { step: step.clone(), ruling, evidence }))
            }
            Ask::Rearm => {
                println!("  arming lapsed: declare again; confirmed steps are not asked again");
                let declaration = self.declaration(run.declaration.outage_at).await?;
                Some(Said::Answer(Answer::Rearm(declaration)))
            }
        }
    }

    /// Asks until the exact word comes, or something else that a prompt takes.
    async fn exact(&self, prompt: &str, wanted: &str, step: &StepId, then: Answer) -> Option<Said> {
        loop {
            let line = self.ask(prompt).await?;
            if line == wanted {
                return Some(Said::Answer(then));
            }
            if let Some(said) = other(&line, Some(step)) {
                return Some(said);
            }
            println!("not what was asked: type {wanted}, {WAYS_OUT}");
        }
    }
}

/// What can be said at any prompt of a run.
#[must_use]
pub fn other(line: &str, step: Option<&StepId>) -> Option<Said> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim().to_owned();
    Some(match (word, rest.is_empty(), step) {
        ("skip", false, Some(step)) => Said::Answer(Answer::Skip { step: step.clone(), reason: rest }),
        ("abandon", false, _) => Said::Answer(Answer::Abandon { reason: rest }),
        ("hold", true, _) => Said::Answer(Answer::Hold),
        ("release", true, _) => Said::Answer(Answer::Release),
        ("note", false, _) => Said::Answer(Answer::Note { text: rest }),
        ("switch", false, _) => Said::Switch(RunbookId::new(&rest)),
        ("turn-real", true, _) => Said::TurnReal,
        _ => return None,
    })
}

/// The step that a person can do something about.
#[must_use]
pub fn unfinished(run: &RunState) -> Option<StepId> {
    use crate::runbook::run::StepPhase;
    run.steps.iter().find(|s| !s.phase.ended() && s.phase != StepPhase::Pending).map(|s| s.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_answer_may_be_an_order_and_a_reason_is_never_left_out() {
        let step = StepId::new("promote");
        assert_eq!(other("hold", Some(&step)), Some(Said::Answer(Answer::Hold)));
        assert_eq!(other("hold on", Some(&step)), None, "not an order: it may be a reason");
        assert_eq!(other("skip", Some(&step)), None);
        assert_eq!(other("skip  ", Some(&step)), None);
        assert_eq!(other("skip done by hand", None), None, "there is nothing to skip");
        assert_eq!(
            other("skip done by hand", Some(&step)),
            Some(Said::Answer(Answer::Skip { step, reason: "done by hand".to_owned() }))
        );
        assert_eq!(other("abandon", None), None);
        assert_eq!(other("switch payments-failover", None), Some(Said::Switch(RunbookId::new("payments-failover"))));
        assert_eq!(other("go promote", None), None);
    }
}
