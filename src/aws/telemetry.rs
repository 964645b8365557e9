//! What every answer tells besides its content: AWS's time, and whether a simulator gave it.
//!
//! An interceptor, so that it works over the network as well as in process. It never changes a request.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
            dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{
    DateTime,
    config_bag::{ConfigBag, Storable, StoreReplace},
    date_time::Format,
};

use super::connection::SimulatorNotice;
use crate::domain::{Clock, RegionId, Timestamp};

/// Every answer of a simulator carries this header: `<RFC 3339>;<estate seconds per wall second>`.
pub const SIMULATOR_HEADER: &str = "x-pointsman-sim";

/// An answer slower than this says an old time; it does not correct a clock that is already set.
const PROMPT: Duration = Duration::from_millis(500);

pub(super) type NoticeHook = Arc<dyn Fn(SimulatorNotice) + Send + Sync>;

/// What was learnt from headers, for all Regions.
pub(super) struct Telemetry {
    clock: Arc<dyn Clock>,
    on_simulator: NoticeHook,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Own clock minus AWS's, in seconds, by Region.
    skew: BTreeMap<RegionId, i64>,
    simulator: Option<SimulatorNotice>,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    pub fn new(clock: Arc<dyn Clock>, on_simulator: NoticeHook) -> Self {
        Self { clock, on_simulator, state: Mutex::default() }
    }

    pub fn skew(&self, region: &RegionId) -> Option<i64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).skew.get(region).copied()
    }

    pub fn simulator(&self) -> Option<SimulatorNotice> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).simulator
    }

    fn answered(&self, region: &RegionId, date: Option<&str>, simulator: Option<&str>, took: Option<Duration>) {
        let notice = simulator.and_then(SimulatorNotice::parse);
        // Against a simulator there is no clock of AWS to differ from: ours is set from its answers.
        let skew = date.filter(|_| notice.is_none()).and_then(|date| {
            let aws = DateTime::from_str(date, Format::HttpDate).ok()?;
            Some(self.clock.wall().secs() - aws.secs())
        });
        let mut tell = None;
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(skew) = skew {
                state.skew.insert(region.clone(), skew);
            }
            if let Some(notice) = notice {
                let known = state.simulator;
                let changed = known.is_none_or(|known| known.speed.to_bits() != notice.speed.to_bits());
                let prompt = took.is_none_or(|took| took < PROMPT);
                if changed || (prompt && self.drifted(&notice)) {
                    tell = Some(notice);
                }
                if changed || prompt {
                    state.simulator = Some(notice);
                }
            }
        }
        if let Some(notice) = tell {
            (self.on_simulator)(notice);
        }
    }

    /// By more than a wall second: less is the way the answer took.
    fn drifted(&self, notice: &SimulatorNotice) -> bool {
        let now = self.clock.now();
        let apart = now.since(notice.estate).max(notice.estate.since(now));
        apart > Duration::from_secs(1).mul_f64(notice.speed.max(1.0))
    }
}

impl SimulatorNotice {
    fn parse(header: &str) -> Option<Self> {
        let (estate, speed) = header.split_once(';')?;
        let speed: f64 = speed.trim().parse().ok()?;
        let estate = Timestamp::parse(estate.trim())?;
        (speed.is_finite() && speed >= 0.0).then_some(Self { estate, speed })
    }
}

/// Reads headers of the answers of one Region.
#[derive(Debug)]
pub(super) struct Listener {
    pub region: RegionId,
    pub telemetry: Arc<Telemetry>,
}

/// Monotonic time at which an attempt left.
#[derive(Clone, Debug)]
struct LeftAt(Duration);

impl Storable for LeftAt {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "pointsman-listener"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(LeftAt(self.telemetry.clock.monotonic()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let took = cfg.load::<LeftAt>().map(|left| self.telemetry.clock.monotonic().saturating_sub(left.0));
        self.telemetry.answered(&self.region, headers.get("date"), headers.get(SIMULATOR_HEADER), took);
        Ok(())
    }
}

/// Set when the request of one call is handed to the transport: after that its effect is in doubt.
#[derive(Clone, Debug, Default)]
pub(super) struct SentMark(Arc<AtomicBool>);

impl SentMark {
    pub fn sent(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[dyn_dispatch_hint]
impl Intercept for SentMark {
    fn name(&self) -> &'static str {
        "pointsman-sent-mark"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.store(true, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing::TestClock;

    fn telemetry(heard: &Arc<Mutex<Vec<SimulatorNotice>>>) -> Telemetry {
        let heard = Arc::clone(heard);
        let hook = move |notice| heard.lock().expect("test lock").push(notice);
        Telemetry::new(Arc::new(TestClock::new(1.0)), Arc::new(hook))
    }

    #[test]
    fn a_simulator_is_told_of_once_and_again_when_its_speed_changes() {
        let heard = Arc::default();
        let telemetry = telemetry(&heard);
        let region = RegionId::new("ap-south-1");
        let clock = TestClock::new(1.0);
        let now = clock.wall().rfc3339();
        let fast = Some(Duration::from_millis(2));
        telemetry.answered(&region, None, Some(&format!("{now};30")), fast);
        telemetry.answered(&region, None, Some(&format!("{now};30")), fast);
        telemetry.answered(&region, None, Some(&format!("{now};60")), fast);
        telemetry.answered(&region, None, Some("rubbish;60"), fast);
        let speeds: Vec<f64> = heard.lock().expect("test lock").iter().map(|n| n.speed).collect();
        assert_eq!(speeds, [30.0, 60.0]);
        assert_eq!(telemetry.skew(&region), None);
    }

    #[test]
    fn a_slow_answer_does_not_turn_the_clock_back() {
        let heard = Arc::default();
        let telemetry = telemetry(&heard);
        let region = RegionId::new("ap-south-1");
        let clock = TestClock::new(1.0);
        telemetry.answered(&region, None, Some(&format!("{};1", clock.wall().rfc3339())), None);
        let old = (clock.wall() - Duration::from_mins(5)).rfc3339();
        telemetry.answered(&region, None, Some(&format!("{old};1")), Some(Duration::from_secs(9)));
        assert_eq!(heard.lock().expect("test lock").len(), 1);
    }

    #[test]
    fn own_clock_skew_is_measured_against_the_date_of_an_answer() {
        let telemetry = telemetry(&Arc::default());
        let region = RegionId::new("ap-south-1");
        let ahead = TestClock::new(1.0).wall() + Duration::from_mins(2);
        let date = DateTime::from_secs(ahead.secs()).fmt(Format::HttpDate).expect("a date");
        telemetry.answered(&region, Some(&date), None, None);
        let skew = telemetry.skew(&region).expect("measured");
        assert!((-121..=-119).contains(&skew), "{skew}");
    }
}
