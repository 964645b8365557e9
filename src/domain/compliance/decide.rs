//! The decide card: what declaring now costs, what waiting costs, and until when one can wait. DESIGN section 5.
//!
//! Figures are bounds, rounded up; a figure that is not known is not on the card.

use std::time::Duration;

use super::{DecideCard, Exposure, Question, RtoStanding, Severity, Verdict};
use crate::domain::{
    text::SafeText,
    time::{Timestamp, short, short_up},
};

/// What one asks on the bridge: "and if we give it ten more minutes?"
const WAIT: Duration = Duration::from_mins(10);

/// The moments that a card is made of, shared with the app's verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clocks {
    pub now: Timestamp,
    /// Since when the Region that writes is down.
    pub outage_since: Option<Timestamp>,
    /// When service would be back, declared now.
    pub back_at: Option<Timestamp>,
    /// When the RTO runs out.
    pub deadline: Option<Timestamp>,
    /// Last moment to declare and still meet the RTO.
    pub last_moment: Option<Timestamp>,
}

impl Clocks {
    pub(super) fn of(question: &Question<'_>, rto: &RtoStanding, outage_since: Option<Timestamp>) -> Self {
        let takes = rto.estimated.as_ref().map(super::RtoEstimate::from_declaration);
        let deadline = outage_since.zip(rto.target).map(|(since, target)| since + target);
        Self {
            now: question.now,
            outage_since,
            back_at: takes.map(|takes| question.now + takes),
            deadline,
            last_moment: deadline.zip(takes).map(|(deadline, takes)| deadline - takes),
        }
    }

    /// By how much the RTO is missed when declared now; without an estimate, by how much it has run out.
    pub(super) fn missed_by(&self) -> Option<Duration> {
        let back = self.back_at.unwrap_or(self.now);
        let deadline = self.deadline?;
        (back > deadline).then(|| back.since(deadline))
    }
}

/// The card of an app in trouble; none when all is well. `nowhere` says why there is no Region to declare for.
pub(super) fn card(
    question: &Question<'_>,
    verdict: &Verdict,
    region_lost: &Exposure,
    clocks: &Clocks,
    nowhere: Option<SafeText>,
) -> Option<DecideCard> {
    if verdict.severity() >= Severity::Met || (*verdict == Verdict::NoTarget && clocks.outage_since.is_none()) {
        return None;
    }
    let zone = &question.estate.zone;
    if let Some(why) = nowhere {
        return Some(DecideCard {
            loss_at_most: None,
            loss_from: None,
            loss_to: None,
            back_at: None,
            last_moment: None,
            lines: vec![why],
        });
    }
    // In an outage nothing is written any more: the window ends where the Region was seen to go.
    let end = clocks.outage_since.unwrap_or(question.now);
    let from = region_lost.data_time;
    let window = from.map(|from| end.max(from).since(from));
    let loss_at_most = match (clocks.outage_since, window) {
        (Some(_), Some(window)) => Some(region_lost.at_most.map_or(window, |at_most| at_most.min(window))),
        (Some(_), None) => None,
        (None, _) => region_lost.at_most.or(region_lost.exposure),
    };
    let loss_from = from.filter(|_| loss_at_most.is_some());
    let loss_to = loss_from.map(|_| end);

    let mut lines = Vec::new();
    let loss = match (loss_at_most, loss_from, loss_to) {
        (Some(loss), Some(from), Some(to)) => {
            format!("lose at most {} ({}-{})", short_up(loss), zone.clock(from), zone.clock(to))
        }
        (Some(loss), ..) => format!("lose at most {}", short_up(loss)),
        _ => {
            let least = region_lost.at_least.map(|d| format!(", {} at least", short(d))).unwrap_or_default();
            format!("the loss is not known{least}")
        }
    };
    let back = clocks.back_at.map_or_else(
        || "when it would be back is not known: no estimate".to_owned(),
        |back| format!("back {}", zone.clock_minutes(back)),
    );
    lines.push(format!("declare now: {loss}, {back}").into());
    lines.push(waiting(question, clocks, loss_at_most).into());
    if let Some(last) = clocks.last_moment {
        let line = if last >= question.now {
            format!("last moment {}", zone.clock_minutes(last))
        } else {
            format!("the last moment to meet the RTO was {}", zone.clock_minutes(last))
        };
        lines.push(line.into());
    }
    Some(DecideCard {
        loss_at_most,
        loss_from,
        loss_to,
        back_at: clocks.back_at,
        last_moment: clocks.last_moment,
        lines,
    })
}

fn waiting(question: &Question<'_>, clocks: &Clocks, loss: Option<Duration>) -> String {
    let zone = &question.estate.zone;
    match (clocks.outage_since, clocks.last_moment, clocks.missed_by()) {
        (Some(_), _, Some(by)) => {
            format!("the RTO is missed by {} already; every minute adds one", short_up(by))
        }
        (Some(_), Some(last), None) if question.now + WAIT > last => "wait ten minutes: RTO missed".to_owned(),
        (Some(_), Some(_), None) => "wait ten minutes: same loss, RTO still met".to_owned(),
        (Some(_), None, _) => "wait ten minutes: same loss, back ten minutes later".to_owned(),
        (None, ..) => loss.map_or_else(
            || "wait ten minutes: up to ten minutes more are lost if the Region goes".to_owned(),
            |loss| {
                let at = zone.clock_minutes(question.now + WAIT);
                format!("wait until {at}: up to {} if nothing new arrives", short_up(loss + WAIT))
            },
        ),
    }
}
