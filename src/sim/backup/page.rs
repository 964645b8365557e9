//! Filters and paging that all lists of AWS Backup share (field guide 1.1).
//!
//! A page token names the last row given, not a position: rows that appear or vanish between two pages move
//! nothing.

use crate::{
    domain::Timestamp,
    sim::{
        codec::{Node, input::moment},
        wire::{Form, Refusal},
    },
};

/// The query string of a list call.
pub struct Ask<'a> {
    form: &'a Form,
}

/// One row of a list with what it can be filtered and ordered by.
pub struct Row {
    pub created: Timestamp,
    pub completed: Option<Timestamp>,
    /// Tells apart rows of the same moment.
    pub id: String,
    pub node: Node,
}

impl<'a> Ask<'a> {
    pub const fn new(form: &'a Form) -> Self {
        Self { form }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.form.get(name)
    }

    /// Whether the row's text is the one asked for; yes when nothing was asked.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_none_or(|wanted| wanted == value)
    }

    /// As [`Ask::is`] without regard to case: the service's own text writes categories both ways (field guide 1.2).
    pub fn is_like(&self, name: &str, value: &str) -> bool {
        self.get(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
    }

    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        self.get(name)
            .map(|text| moment(text).ok_or_else(|| invalid(format!("{name} is not a timestamp: {text}"))))
            .transpose()
    }

    /// The page of rows, newest first, and the token of the next one.
    pub fn page(&self, list: &'static str, mut rows: Vec<Row>) -> Result<Node, Refusal> {
        let (after, before) = (self.time("createdAfter")?, self.time("createdBefore")?);
        let (done_after, done_before) = (self.time("completeAfter")?, self.time("completeBefore")?);
        rows.retain(|row| {
            after.is_none_or(|t| row.created >= t)
                && before.is_none_or(|t| row.created <= t)
                && done_after.is_none_or(|t| row.completed.is_some_and(|c| c >= t))
                && done_before.is_none_or(|t| row.completed.is_some_and(|c| c <= t))
        });
        rows.sort_by(|a, b| b.key().cmp(&a.key()));
        let most = self.most()?;
        if let Some(token) = self.get("nextToken") {
            let last = read_token(token).ok_or_else(|| invalid("The NextToken is not valid."))?;
            rows.retain(|row| row.key() < (last.0, last.1.as_str()));
        }
        let more = rows.len() > most;
        rows.truncate(most);
        let token = rows.last().filter(|_| more).map(|row| token(row.created, &row.id));
        let nodes: Vec<Node> = rows.into_iter().map(|row| row.node).collect();
        Ok(Node::Map(vec![(list, nodes.into()), ("NextToken", Node::maybe(token))]))
    }

    /// `maxResults`, 1..=1000 (*documented*); 1000 when not given (*assumed*).
    fn most(&self) -> Result<usize, Refusal> {
        match self.get("maxResults").map(str::parse::<usize>) {
            None => Ok(1000),
            Some(Ok(n)) if (1..=1000).contains(&n) => Ok(n),
            Some(_) => Err(invalid("MaxResults must be between 1 and 1000.")),
        }
    }
}

impl Row {
    fn key(&self) -> (Timestamp, &str) {
        (self.created, &self.id)
    }
}

pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidParameterValueException", message)
}

fn token(created: Timestamp, id: &str) -> String {
    let hex: String = id.bytes().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{:x}-{hex}", created.millis())
}

fn read_token(token: &str) -> Option<(Timestamp, String)> {
    let (created, hex) = token.split_once('-')?;
    let created = i64::from_str_radix(created, 16).ok()?;
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
    Some((Timestamp::from_millis(created), String::from_utf8(bytes?).ok()?))
}
