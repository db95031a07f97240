//! An S3 service in this process, that fails as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt;
use hyper::header::{ETAG, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) const BUCKET: &str = "hromada-files";
pub(crate) const KEY_ID: &str = "KEYOFTHETEST";
pub(crate) const SECRET: &str = "secret-of-the-test";

/// What the service does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It dies when the second part of an upload comes.
    DiesAtSecondPart,
    /// It takes the second part of an upload and never answers.
    SilentAtSecondPart,
    /// A byte of each content is changed on the way to it.
    Transfer,
    /// Its tags are no MD5.
    OpaqueTags,
    /// Its tags are no MD5, and it keeps another byte than it received.
    Forgetful,
}

/// The service; it dies when dropped, and keeps its files.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<tokio::task::JoinHandle<()>>,
}

struct Shared {
    root: PathBuf,
    s3: S3Service,
    fault: Mutex<Fault>,
    /// `PUT /bucket/key?query`, in order.
    seen: Mutex<Vec<String>>,
    death: Notify,
}

impl Service {
    pub(crate) async fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            s3: builder.build(),
            fault: Mutex::new(Fault::None),
            seen: Mutex::default(),
            death: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut service = Self {
            address: listener.local_addr().unwrap(),
            shared,
            running: None,
        };
        service.run(listener);
        service
    }

    fn run(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.running = Some(tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = shared.death.notified() => return,
                };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let answer = service_fn(move |request| {
                        let shared = Arc::clone(&shared);
                        async move { Ok::<_, Infallible>(shared.answer(request).await) }
                    });
                    let http = http1::Builder::new();
                    // A client that hangs up is no failure of the test.
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        }));
    }

    /// Waits for its death and starts it again at the same address.
    pub(crate) async fn revive(&mut self) {
        self.running.take().unwrap().await.unwrap();
        self.fault(Fault::None);
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.run(listener);
    }

    pub(crate) fn fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// The requests since the last call.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }

    /// Waits until a request is seen.
    pub(crate) async fn until(&self, wanted: impl Fn(&str) -> bool) {
        let is_seen = || self.shared.seen.lock().unwrap().iter().any(|r| wanted(r));
        super::until("the request", || is_seen().then_some(())).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<s3s::Body> {
        let fault = *self.fault.lock().unwrap();
        let target = format!("{} {}", request.method(), request.uri());
        let path = request.uri().path().to_owned();
        let is_part = target.contains("partNumber=");
        let is_put = request.method() == Method::PUT && !is_part;
        self.seen.lock().unwrap().push(target.clone());
        if target.contains("partNumber=2&") {
            match fault {
                Fault::DiesAtSecondPart => self.death.notify_one(),
                Fault::SilentAtSecondPart => {}
                _ => return self.forward(request, fault).await,
            }
            return std::future::pending().await;
        }
        let mut response = self.forward(request, fault).await;
        if is_put && [Fault::OpaqueTags, Fault::Forgetful].contains(&fault) {
            let headers = response.headers_mut();
            headers.insert(ETAG, HeaderValue::from_static("\"opaque\""));
        }
        if is_put && fault == Fault::Forgetful {
            super::flip(&self.root.join(path.trim_start_matches('/')));
        }
        response
    }

    async fn forward(&self, request: Request<Incoming>, fault: Fault) -> Response<s3s::Body> {
        let (head, body) = request.into_parts();
        let mut body = body.collect().await.unwrap().to_bytes().to_vec();
        if fault == Fault::Transfer
            && head.method == Method::PUT
            && let Some(byte) = body.first_mut()
        {
            *byte ^= 1;
        }
        let request = Request::from_parts(head, s3s::Body::from(body));
        self.s3.call(request).await.unwrap()
    }
}
