//! `/metrics`, `/healthz` and `/readyz` on a listener of their own. I/O; only reads what others count and know.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::proxy::Door;
use crate::telemetry::Metrics;

/// Scrapers that may be connected at once.
const MAX_CONNECTIONS: usize = 32;

/// A scraper must have sent its request's head after this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection ends after this, whatever it does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// A worker whose loop, which turns ten times a second at least, has not come round for so long stands still.
const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(5);

/// What the status pages tell of.
pub struct Status {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The backends' state.
    pub door: Arc<Door>,
    /// The databases' names, in the order of the configuration.
    pub databases: Vec<String>,
    /// Whether Redwall drains.
    pub draining: Arc<AtomicBool>,
}

/// Serves the status pages for as long as the future is polled.
pub async fn serve(listener: TcpListener, status: Arc<Status>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((socket, _)) => {
                let status = Arc::clone(&status);
                tokio::spawn(async move {
                    // Scrapers come and go; their faults are their own.
                    let _ =
                        tokio::time::timeout(CONNECTION_TIMEOUT, converse(socket, status)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the status listener could not accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(socket: TcpStream, status: Arc<Status>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = status.respond(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

impl Status {
    fn respond(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD\n".to_owned(),
            );
        }
        match path {
            "/metrics" => self.metrics(),
            "/healthz" => self.health(Instant::now()),
            "/readyz" => self.readiness(),
            _ => match path.strip_prefix("/readyz/") {
                Some(database) => self.database_readiness(database),
                None => text(
                    StatusCode::NOT_FOUND,
                    "try /metrics, /healthz, /readyz or /readyz/DATABASE\n".to_owned(),
                ),
            },
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        for (index, name) in self.databases.iter().enumerate() {
            let up = i64::from(self.door.backend(index).is_up());
            self.metrics
                .backend
                .up
                .with_label_values(&[name.as_str()])
                .set(up);
        }
        let (held, max) = self.door.client_memory();
        self.metrics.client_memory.show(held, max);
        match self.metrics.text() {
            Ok(metrics) => {
                let mut response = text(StatusCode::OK, metrics);
                let version = hyper::header::HeaderValue::from_static(
                    "text/plain; version=0.0.4; charset=utf-8",
                );
                response.headers_mut().insert(CONTENT_TYPE, version);
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }

    /// Alive means that every worker's loop comes round. A worker that doesn't holds up its clients and is given no others'
    /// work; only a new process helps.
    fn health(&self, now: Instant) -> Response<Full<Bytes>> {
        let silent = self.metrics.silent_workers(now, HEARTBEAT_PATIENCE);
        if silent.is_empty() {
            return text(StatusCode::OK, "ok\n".to_owned());
        }
        let line = |(worker, silence): &(usize, Duration)| {
            format!("worker {worker} stands still for {} s\n", silence.as_secs())
        };
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            silent.iter().map(line).collect(),
        )
    }

    /// Ready means listening, configured and not draining. A backend that is down doesn't count: were it to, all
    /// instances would be taken out together with it.
    fn readiness(&self) -> Response<Full<Bytes>> {
        if self.draining.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
        }
        let mut body = "ok\n".to_owned();
        for (index, name) in self.databases.iter().enumerate() {
            let state = if self.door.backend(index).is_up() {
                "up"
            } else {
                "down"
            };
            // Writing to a String can't fail.
            let _ = writeln!(body, "backend of {name}: {state}");
        }
        text(StatusCode::OK, body)
    }

    fn database_readiness(&self, database: &str) -> Response<Full<Bytes>> {
        match self.databases.iter().position(|name| name == database) {
            None => text(StatusCode::NOT_FOUND, "no such database\n".to_owned()),
            Some(index) if self.door.backend(index).is_up() => {
                text(StatusCode::OK, "ok\n".to_owned())
            }
            Some(_) => text(StatusCode::SERVICE_UNAVAILABLE, "backend down\n".to_owned()),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
