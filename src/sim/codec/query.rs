//! awsQuery: a flat form in, XML out. Older clients read CloudWatch this way.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::{Input, Node};

/// `Action=…&A.member.1.B=…` as a tree: `member.N` becomes a list. Order of the numbers is kept, gaps are closed.
#[must_use]
pub fn read(form: &[u8]) -> Option<Input> {
    let form = std::str::from_utf8(form).ok()?;
    let mut root = Tree::default();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        root.put(&decode(key), decode(value));
    }
    Some(Input::new(root.value()))
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[derive(Default)]
struct Tree {
    leaf: Option<String>,
    children: Vec<(String, Tree)>,
}

impl Tree {
    fn put(&mut self, path: &str, leaf: String) {
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        let at = self.children.iter().position(|(name, _)| name == head).unwrap_or_else(|| {
            self.children.push((head.to_owned(), Self::default()));
            self.children.len() - 1
        });
        let child = &mut self.children[at].1;
        match rest {
            Some(rest) => child.put(rest, leaf),
            None => child.leaf = Some(leaf),
        }
    }

    fn value(mut self) -> Value {
        if let Some(leaf) = self.leaf {
            return Value::from(leaf);
        }
        if self.children.len() == 1 && self.children[0].0 == "member" {
            let mut items = self.children.remove(0).1.children;
            items.sort_by_key(|(number, _)| number.parse::<u32>().unwrap_or(u32::MAX));
            return items.into_iter().map(|(_, item)| item.value()).collect();
        }
        Value::Object(self.children.into_iter().map(|(key, child)| (key, child.value())).collect::<Map<_, _>>())
    }
}

/// `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…`.
#[must_use]
pub fn write(operation: &str, namespace: &str, request_id: &str, result: &Node) -> Vec<u8> {
    let mut xml = format!("<{operation}Response xmlns=\"{namespace}\"><{operation}Result>");
    put(&mut xml, result);
    let _ = write!(
        xml,
        "</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    );
    xml.into_bytes()
}

fn put(xml: &mut String, node: &Node) {
    // Writing to a String cannot fail.
    let _ = match node {
        Node::Map(members) => {
            for (key, child) in Node::present(members) {
                let _ = write!(xml, "<{key}>");
                put(xml, child);
                let _ = write!(xml, "</{key}>");
            }
            Ok(())
        }
        Node::List(items) => {
            for item in items {
                xml.push_str("<member>");
                put(xml, item);
                xml.push_str("</member>");
            }
            Ok(())
        }
        Node::Text(text) => write!(xml, "{}", escape(text.as_str())),
        Node::Int(number) => write!(xml, "{number}"),
        Node::Float(number) => write!(xml, "{number:?}"),
        Node::Bool(flag) => write!(xml, "{flag}"),
        Node::Time(at) => write!(xml, "{}", at.rfc3339()),
        Node::Absent => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_form_become_lists_and_its_text_is_decoded() {
        let input = read(b"Action=X&D.member.2.Name=b%2Fc&D.member.1.Name=a+a&N=5").expect("a form");
        let names: Vec<_> = input.maps("D").iter().map(|d| d.text("Name").unwrap_or("").to_owned()).collect();
        assert_eq!(names, ["a a", "b/c"]);
        assert_eq!(input.int("N"), Some(5));
    }

    #[test]
    fn text_is_escaped_in_xml() {
        let xml = write("Op", "urn:x", "id-1", &Node::Map(vec![("L", vec![Node::from("<&>")].into())]));
        let xml = String::from_utf8(xml).expect("utf-8");
        assert!(xml.contains("<OpResult><L><member>&lt;&amp;&gt;</member></L></OpResult>"), "{xml}");
    }
}
