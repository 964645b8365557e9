//! What is said about the estate outside the console: status as table, JSON and Markdown; plans and runs as text.
//!
//! Pure: from a picture to text. The mode word (LIVE, DRILL, SIMULATED) stands in every form, and every text from
//! outside is `SafeText` already. Where to look next: [`status`] for `pointsman status`, [`runs`] for plans and
//! runs on the command line, [`facts`] for what was observed behind the verdicts, [`evidence`] for what a run's record proves.

pub mod evidence;
pub mod evidence_build;
pub mod evidence_markdown;
pub mod facts;
pub mod plans;
pub mod run_list;
pub mod runs;
pub mod status;
pub mod waves;
