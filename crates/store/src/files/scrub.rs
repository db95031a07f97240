//! Reading everything, to find damage before somebody needs the file.

use futures_util::TryStreamExt;
use model::Message;

use super::hash::Hasher;
use super::{FileStream, Files, Listed, damaged};
use crate::{Error, FileHash};

/// Findings of one kind named one by one at most.
const MAX_NAMED: u64 = 1000;

/// What a scrub found.
#[derive(Debug, Default)]
pub struct ScrubReport {
    /// Files read, damaged ones included.
    pub files: u64,
    pub bytes: u64,
    /// Files whose content is not what their name says, or can't be read.
    pub damaged: u64,
    /// Names that the store did not give.
    pub others: u64,
    /// The first of each kind.
    pub findings: Vec<FileFinding>,
}

/// One finding of a scrub.
#[derive(Debug)]
pub struct FileFinding {
    /// Below `sha256/`.
    pub name: String,
    pub text: Message,
}

impl ScrubReport {
    /// Whether every file is whole and every name the store's own.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0 && self.others == 0
    }

    fn found(&mut self, count: u64, name: String, text: Message) {
        if count <= MAX_NAMED {
            self.findings.push(FileFinding { name, text });
        }
    }
}

impl Files {
    /// Reads every file and compares it with its name. It changes nothing; a damaged file is healed in a folder
    /// by putting it again, in a bucket by deleting it and putting it again.
    ///
    /// # Errors
    /// When the store can't be listed, or a service does not answer.
    pub async fn scrub(&self) -> Result<ScrubReport, Error> {
        let mut report = ScrubReport::default();
        let mut listed = self.listed();
        while let Some(entry) = listed.try_next().await? {
            let file = match entry {
                Listed::File(file) => file,
                Listed::Other(name) => {
                    report.others += 1;
                    let text = Message::new("store.files-misnamed").with("name", &name);
                    report.found(report.others, name, text);
                    continue;
                }
            };
            let content = match self.read(file.hash).await {
                Ok((_, content)) => drained(content).await,
                // Deleted since it was listed.
                Err(Error::NotFound(_)) => continue,
                Err(error) => Err(error),
            };
            report.files += 1;
            let text = match content {
                Ok((found, bytes)) => {
                    report.bytes += bytes;
                    (found != file.hash).then(|| damaged(file.hash, found))
                }
                Err(Error::Refused(message)) => Some(message),
                Err(error) => return Err(error),
            };
            if let Some(text) = text {
                report.damaged += 1;
                report.found(report.damaged, file.hash.key(), text);
            }
        }
        Ok(report)
    }
}

/// The hash and the length of a content.
pub(super) async fn drained(mut content: FileStream) -> Result<(FileHash, u64), Error> {
    let mut hasher = Hasher::default();
    while let Some(chunk) = content.try_next().await? {
        hasher.update(&chunk);
    }
    let bytes = hasher.bytes;
    Ok((hasher.finish(), bytes))
}
