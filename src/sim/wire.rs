//! The wire formats of awsQuery (RDS, STS) and restXml (Route 53), and errors in every protocol.
//!
//! Names of elements and of error codes are those that the Rust SDK and botocore parse (field guide 2.1, 9.2).
//! Nothing here knows what a service does.

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::Bytes;
use http::StatusCode;
use quick_xml::{Reader, events::Event};

use super::service::Answer;

/// How a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Form in, XML out: RDS and STS.
    Query,
    /// Route 53.
    RestXml,
    /// AWS Backup.
    RestJson,
    /// CloudWatch of current Python clients: awsJson 1.0.
    Json,
    /// CloudWatch of the Rust SDK: smithy rpc-v2-cbor (field guide 7).
    Cbor,
}

/// A refusal: what went wrong, in AWS's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// Code on the wire, e.g. `InvalidGlobalClusterStateFault`.
    pub code: String,
    pub message: String,
}

/// Code of a refused request, beside the answer and not on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub String);

impl Refusal {
    #[must_use]
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// HTTP 400: the caller's mistake, or a state that forbids it.
    #[must_use]
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    #[must_use]
    pub fn missing(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// The answer as the protocol writes it; carries its [`ErrorCode`] for the call log.
    #[must_use]
    pub fn answer(&self, protocol: Protocol, request_id: &str) -> Answer {
        let mut answer = self.write(protocol, request_id);
        answer.extensions_mut().insert(ErrorCode(self.code.clone()));
        answer
    }

    fn write(&self, protocol: Protocol, request_id: &str) -> Answer {
        let kind = if self.status.is_server_error() { "Receiver" } else { "Sender" };
        match protocol {
            Protocol::Query | Protocol::RestXml => {
                let mut xml = Xml::new();
                xml.open("ErrorResponse").open("Error");
                xml.text("Type", kind).text("Code", &self.code).text("Message", &self.message);
                xml.close().text("RequestId", request_id).close();
                respond(self.status, "text/xml", xml.finish())
            }
            Protocol::RestJson | Protocol::Json => {
                let (content, body) = if protocol == Protocol::RestJson {
                    ("application/json", serde_json::json!({ "message": self.message, "Code": self.code }))
                } else {
                    let body = serde_json::json!({ "__type": self.code, "message": self.message });
                    ("application/x-amz-json-1.0", body)
                };
                let mut answer = respond(self.status, content, body.to_string());
                if let Ok(code) = http::HeaderValue::from_str(&self.code) {
                    answer.headers_mut().insert("x-amzn-errortype", code);
                }
                answer
            }
            Protocol::Cbor => {
                let body = ciborium::Value::Map(vec![
                    ("__type".into(), self.code.as_str().into()),
                    ("message".into(), self.message.as_str().into()),
                ]);
                let mut bytes = Vec::new();
                ciborium::into_writer(&body, &mut bytes).expect("a map of two texts can be written to memory");
                let mut answer = respond(self.status, "application/cbor", bytes);
                let headers = answer.headers_mut();
                headers.insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
                // `x-amzn-query-mode` clients read the old query name of the error here (field guide 7).
                let old = format!("{};{kind}", self.code.trim_end_matches("Exception"));
                if let Ok(value) = http::HeaderValue::from_str(&old) {
                    headers.insert("x-amzn-query-error", value);
                }
                answer
            }
        }
    }
}

/// An answer with a body.
#[must_use]
pub fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = http::Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    answer
}

/// XML being written: elements only, as AWS writes it.
#[derive(Debug)]
pub struct Xml {
    out: String,
    open: Vec<String>,
}

impl Default for Xml {
    fn default() -> Self {
        Self::new()
    }
}

impl Xml {
    #[must_use]
    pub fn new() -> Self {
        Self { out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), open: Vec::new() }
    }

    pub fn open(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.out, "<{name}>");
        self.open.push(name.to_owned());
        self
    }

    /// The root element with its namespace.
    pub fn open_root(&mut self, name: &str, namespace: &str) -> &mut Self {
        let _ = write!(self.out, "<{name} xmlns=\"{namespace}\">");
        self.open.push(name.to_owned());
        self
    }

    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.out, "</{name}>");
        }
        self
    }

    pub fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        let _ = write!(self.out, "<{name}>{}</{name}>", quick_xml::escape::escape(text.as_ref()));
        self
    }

    pub fn show(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.text(name, value.to_string())
    }

    /// Nothing at all when there is nothing to say: AWS leaves the element out.
    pub fn maybe(&mut self, name: &str, text: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// The document; every element must be closed.
    #[must_use]
    pub fn finish(self) -> String {
        debug_assert!(self.open.is_empty(), "unclosed: {:?}", self.open);
        self.out
    }
}

/// The parameters of an awsQuery request: body of a POST or query string of a GET, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    #[must_use]
    pub fn of(request: &http::Request<Bytes>) -> Self {
        let body = String::from_utf8_lossy(request.body());
        Self::parse(request.uri().query().into_iter().chain([body.as_ref()]))
    }

    /// Of the query string only.
    #[must_use]
    pub fn query(request: &http::Request<Bytes>) -> Self {
        Self::parse(request.uri().query())
    }

    fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let pairs = texts.into_iter().flat_map(|text| text.split('&')).filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Values of a list parameter, `EventCategories.EventCategory.1` (or `.member.1`), in order of their number.
    #[must_use]
    pub fn list(&self, prefix: &str) -> Vec<&str> {
        let mut numbered = BTreeMap::new();
        for (name, value) in &self.0 {
            if let Some(number) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'))
                && let Ok(number) = number.parse::<u32>()
            {
                numbered.insert(number, value.as_str());
            }
        }
        numbered.into_values().collect()
    }

    /// `Filters.Filter.N.Name` with its `Values.Value.M`.
    #[must_use]
    pub fn filters(&self) -> Vec<(&str, Vec<&str>)> {
        (1..=20)
            .map_while(|n| {
                let name = self.get(&format!("Filters.Filter.{n}.Name"))?;
                Some((name, self.list(&format!("Filters.Filter.{n}.Values.Value"))))
            })
            .collect()
    }

    /// `true` for `true` and `True`, as AWS reads it.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|text| text.eq_ignore_ascii_case("true"))
    }
}

/// Percent and plus decoding of one form field.
#[must_use]
pub fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// One element of a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Self>,
}

impl Element {
    /// The root of a document; `None` for what is not well formed or deeper than 32 elements.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut reader = Reader::from_str(text);
        let mut stack = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if stack.len() > 32 {
                        return None;
                    }
                    stack.push(Self { name: start.local_name().as_ref().to_owned(), ..Self::default() });
                }
                Event::Empty(start) => {
                    let element = Self { name: start.local_name().as_ref().to_owned(), ..Self::default() };
                    stack.last_mut()?.children.push(element);
                }
                Event::End(_) => {
                    let element = stack.pop()?;
                    stack.last_mut()?.children.push(element);
                }
                Event::Text(text) => stack.last_mut()?.text.push_str(&text),
                Event::CData(text) => stack.last_mut()?.text.push_str(&text),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(c) => c.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned(),
                    };
                    stack.last_mut()?.text.push_str(&resolved);
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let mut document = stack.pop().filter(|_| stack.is_empty())?;
        (document.children.len() == 1).then(|| document.children.remove(0))
    }

    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Text of a child.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_lists_filters_and_escapes() {
        let request = http::Request::post("/")
            .body(Bytes::from_static(
                b"Action=X&A=a%2Bb+c&L.E.2=two&L.E.1=one&Filters.Filter.1.Name=n&Filters.Filter.1.Values.Value.1=v",
            ))
            .unwrap();
        let form = Form::of(&request);
        assert_eq!(form.get("A"), Some("a+b c"));
        assert_eq!(form.list("L.E"), ["one", "two"]);
        assert_eq!(form.filters(), [("n", vec!["v"])]);
    }

    #[test]
    fn a_body_is_read_with_entities_and_what_is_not_xml_is_none() {
        let root = Element::parse(b"<?xml version='1.0'?><A xmlns='u'><B>x &amp; &#65;</B><C/></A>").unwrap();
        assert_eq!(root.value("B"), Some("x & A"));
        assert!(root.child("C").is_some());
        assert_eq!(Element::parse(b"<A><B></A>"), None);
        assert_eq!(Element::parse(b"not xml"), None);
    }

    #[test]
    fn text_that_looks_like_markup_stays_text() {
        let mut xml = Xml::new();
        xml.open("A").text("B", "<x> & y").close();
        assert_eq!(Element::parse(xml.finish().as_bytes()).unwrap().value("B"), Some("<x> & y"));
    }
}
