//! The head anchor: what a hash chain alone cannot show is that its newest records, or its newest runs, were cut off.
//! `journal.db.head` lies beside the journal, private to its owner, and names the last record of every run.
//!
//! One line for each record, `RUN SEQ HASH`, appended and synced after the record is on disk: for each run the line
//! with the highest number counts. So the anchor never names what is not on disk, and after a crash between the two
//! it lags by one record of a run at most. An opening rewrites it with one line for each run, atomically.
//! Must never: be made from the journal it guards (but for a journal of layout 1, which has none), or lose a line.
//! Where to look next: [`super::chain`], which holds the journal against it.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::runbook::run::RunId;

/// The last record of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: String,
}

/// What the anchor of a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchored {
    Heads(BTreeMap<RunId, Head>),
    /// There is no file where one must be.
    Missing,
    /// It cannot be read: why.
    Damaged(String),
    /// The journal is of a layout that has none.
    NotKept,
}

/// Lines beyond one for each run that an opening leaves alone.
const SURPLUS_MAX: usize = 256;

#[derive(Clone, Debug)]
pub struct AnchorFile {
    path: PathBuf,
}

impl AnchorFile {
    #[must_use]
    pub fn beside(journal: &Path) -> Self {
        let mut path = journal.to_owned().into_os_string();
        path.push(".head");
        Self { path: path.into() }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// When the disk does not give it; that there is no file, or that it is damaged, is an answer.
    pub fn read(&self) -> io::Result<Anchored> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(parse(&bytes).map_or_else(Anchored::Damaged, Anchored::Heads)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Anchored::Missing),
            Err(error) => Err(error),
        }
    }

    /// Covers records that are on disk. On disk itself when it returns.
    ///
    /// # Errors
    /// When it could not be written. The journal is ahead of it by these records then, and nothing may follow them.
    pub fn cover<'a>(&self, records: impl IntoIterator<Item = (RunId, u64, &'a str)>) -> io::Result<()> {
        let mut lines = String::new();
        for (run, seq, hash) in records {
            push(&mut lines, run, seq, hash);
        }
        let mut file = self.locked()?;
        drop_torn_line(&mut file)?;
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    /// An anchor for a journal that has none yet, or a rewritten one: whole or not at all.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn replace(&self, heads: &BTreeMap<RunId, Head>) -> io::Result<()> {
        let mut lines = String::new();
        for (run, head) in heads {
            push(&mut lines, *run, head.seq, &head.hash);
        }
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }

    /// One line for each run. A damaged anchor is left as it is: it is evidence.
    ///
    /// # Errors
    /// When it cannot be rewritten, or others may read it.
    pub fn compact(&self) -> io::Result<()> {
        let mut file = self.locked()?;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            let text = format!("others may read it (mode {:o}): chmod 600", mode & 0o777);
            return Err(io::Error::other(text));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        let lines = bytes.split(|byte| *byte == b'\n').count();
        match parse(&bytes) {
            // Under the lock of the old file: who waits for it sees that another took its place.
            Ok(heads) if lines > heads.len() + SURPLUS_MAX => self.replace(&heads),
            _ => Ok(()),
        }
    }

    /// The file that is the anchor now, locked against other writers.
    fn locked(&self) -> io::Result<File> {
        loop {
            let file = OpenOptions::new().read(true).append(true).open(&self.path)?;
            file.lock()?;
            if file.metadata()?.ino() == std::fs::metadata(&self.path)?.ino() {
                return Ok(file);
            }
        }
    }
}

fn push(lines: &mut String, run: RunId, seq: u64, hash: &str) {
    use std::fmt::Write as _;
    let _ = writeln!(lines, "{run} {seq} {hash}");
}

/// What a crash left of a line would make the next one unreadable.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(());
    }
    let mut last = [0_u8];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(whole as u64)
}

/// The heads, from every whole line. What follows the last line feed was being written when the program died.
///
/// # Errors
/// At the first line that no version of this program writes, in words.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<RunId, Head>, String> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut heads: BTreeMap<RunId, Head> = BTreeMap::new();
    for (n, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (run, head) = line_of(line).ok_or_else(|| format!("line {} cannot be read", n + 1))?;
        match heads.get(&run) {
            Some(known) if known.seq == head.seq && known.hash != head.hash => {
                return Err(format!("line {} names another record {} of run {run}", n + 1, head.seq));
            }
            Some(known) if known.seq >= head.seq => {}
            _ => {
                heads.insert(run, head);
            }
        }
    }
    Ok(heads)
}

fn line_of(line: &[u8]) -> Option<(RunId, Head)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut words = line.split(' ');
    let (run, seq, hash) = (number(words.next()?)?, number(words.next()?)?, words.next()?);
    let hex = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && words.next().is_none()).then(|| (RunId(run), Head { seq, hash: hash.to_owned() }))
}

/// As this program writes it: no sign, no leading zero.
fn number(word: &str) -> Option<u64> {
    let n: u64 = word.parse().ok()?;
    (n > 0 && word == n.to_string()).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> String {
        format!("{n:064x}")
    }

    fn anchor() -> (tempfile::TempDir, AnchorFile) {
        let folder = tempfile::tempdir().unwrap();
        let anchor = AnchorFile::beside(&folder.path().join("journal.db"));
        anchor.replace(&BTreeMap::new()).unwrap();
        (folder, anchor)
    }

    fn heads(anchor: &AnchorFile) -> BTreeMap<RunId, Head> {
        match anchor.read().unwrap() {
            Anchored::Heads(heads) => heads,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_highest_number_of_each_run_counts_and_a_rewriting_keeps_it() {
        let (_folder, anchor) = anchor();
        for seq in 1..=300 {
            anchor.cover([(RunId(1), seq, hash(seq as u8).as_str()), (RunId(2), 1, hash(9).as_str())]).unwrap();
        }
        let before = heads(&anchor);
        assert_eq!(before[&RunId(1)], Head { seq: 300, hash: hash(44) });
        anchor.compact().unwrap();
        assert_eq!(heads(&anchor), before);
        assert_eq!(std::fs::read_to_string(anchor.path()).unwrap().lines().count(), 2);
        assert_eq!(std::fs::metadata(anchor.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_a_crash_tore_is_dropped_and_the_next_one_stands_by_itself() {
        let (_folder, anchor) = anchor();
        anchor.cover([(RunId(1), 1, hash(1).as_str())]).unwrap();
        let mut file = OpenOptions::new().append(true).open(anchor.path()).unwrap();
        file.write_all(b"1 2 00").unwrap();
        assert_eq!(heads(&anchor)[&RunId(1)].seq, 1);
        anchor.cover([(RunId(1), 2, hash(2).as_str())]).unwrap();
        assert_eq!(heads(&anchor)[&RunId(1)], Head { seq: 2, hash: hash(2) });
    }

    #[test]
    fn a_line_that_nobody_writes_is_damage() {
        for text in ["1 1 xyz\n", "+1 1 ", "01 1 ", "1  1 ", "1 0 ", "1 1 1 ", "\n", "1 1\n"] {
            let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}{}\n", hash(1)) };
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        let twice = format!("1 1 {}\n1 1 {}\n", hash(1), hash(2));
        assert!(parse(twice.as_bytes()).is_err());
    }

    #[test]
    fn what_two_programs_append_while_a_third_rewrites_is_all_kept() {
        let (_folder, anchor) = anchor();
        std::thread::scope(|scope| {
            for run in 1..=2_u64 {
                let anchor = anchor.clone();
                scope.spawn(move || {
                    for seq in 1..=400 {
                        anchor.cover([(RunId(run), seq, hash(7).as_str())]).unwrap();
                    }
                });
            }
            for _ in 0..50 {
                anchor.compact().unwrap();
            }
        });
        let heads = heads(&anchor);
        assert_eq!((heads[&RunId(1)].seq, heads[&RunId(2)].seq), (400, 400));
    }
}
