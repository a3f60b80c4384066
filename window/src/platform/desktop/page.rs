//! The page in the frame: where its requests go, and where its links lead.

use std::thread;

use ensafer_client::home::Home;
use ensafer_client::local_api::Asked;
use ensafer_client::screen::Screen;
use tao::window::Window;
use wry::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use wry::http::{Request, Response, StatusCode};
use wry::{NewWindowResponse, PageLoadEvent, WebContext, WebView, WebViewBuilder};

use super::download::Downloads;
use super::stream::Streams;
use super::{MainThread, system};
use crate::address::{self, Leads, SCHEME};
use crate::relay::{self, Answer, Body};

/// Gives the page answers that wry cannot: such as break off, and such as come in pieces.
const ANSWERS: &str = include_str!("answers.js");

/// The headers by which [`ANSWERS`] knows them.
const UNANSWERED: &str = "x-ensafer-unanswered";
const STREAM: &str = "x-ensafer-stream";

/// The page's own address.
const PAGE: &str = "/";

/// A page that asks the daemon of `home`. Nothing of it is kept.
///
/// # Errors
/// The system shows none.
pub fn show(
    home: &Home,
    window: &Window,
    main: &MainThread,
    downloads: &Downloads,
    screen: Screen,
) -> wry::Result<WebView> {
    let streams = Streams::new(main.clone());
    let (asking, asker, loaded) = (home.clone(), main.clone(), streams.clone());
    let answer = move |_: &str, request: Request<Vec<u8>>, responder: wry::RequestAsyncResponder| {
        let (home, main, streams) = (asking.clone(), asker.clone(), streams.clone());
        // Each on a thread of its own.
        thread::spawn(move || answer(&home, request, &main, &streams, |answer| responder.respond(answer)));
    };
    let (titled, ended) = (main.clone(), main.clone());
    // Of Windows' web view: it would lie beside the program.
    let mut context = WebContext::new(Some(home.cache_dir().join("window")));
    let view = WebViewBuilder::new_with_web_context(&mut context)
        .with_incognito(true)
        .with_devtools(false)
        .with_asynchronous_custom_protocol(SCHEME.to_owned(), answer)
        .with_initialization_script(ANSWERS)
        .with_navigation_handler(|address| is_let_in(&address))
        .with_new_window_req_handler(|address, _| {
            // What it shows is not for a window of its own.
            let _ = is_let_in(&address);
            NewWindowResponse::Deny
        })
        .with_on_page_load_handler(move |event, _| {
            if matches!(event, PageLoadEvent::Started) {
                loaded.end();
            }
        })
        .with_document_title_changed_handler(move |title| titled.ask(super::Request::Title(title)))
        .with_url(system::outside(&address::of_screen(screen)));
    let view = downloads.offer(view, main);
    system::settings(view, move || ended.ask(super::Request::Crashed)).build(window)
}

/// Links stay within the page, or leave the window; whether the page goes where this one leads.
fn is_let_in(address: &str) -> bool {
    match Leads::to(&system::inside(address)) {
        Leads::Here => true,
        Leads::Elsewhere => {
            system::open(address);
            false
        }
        // To save what the page has made it need not go anywhere.
        Leads::ToDisk | Leads::Nowhere => false,
    }
}

/// Has a request answered.
fn answer(
    home: &Home,
    request: Request<Vec<u8>>,
    main: &MainThread,
    streams: &Streams,
    give: impl FnOnce(Response<Vec<u8>>),
) {
    let Some(asked) = asked(request) else { return give(unanswered("that is not the page's")) };
    let is_page = asked.target == PAGE;
    relay::pass_on(home, asked, |answer| {
        if is_page && answer.is_err() {
            main.ask(super::Request::Unanswered);
        }
        match answer.map_err(|error| error.to_string()).and_then(|answer| finish(answer, streams)) {
            Ok(response) => give(response),
            Err(why) => give(unanswered(&why)),
        }
    });
}

fn asked(request: Request<Vec<u8>>) -> Option<Asked> {
    let target = address::target(&request.uri().to_string())?.to_owned();
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Some(Asked {
        method: head.method.as_str().to_owned(),
        target,
        content_type: content_type.map(str::to_owned),
        body: body.into(),
    })
}

/// The answer for wry. Pieces of a stream follow it as scripts.
fn finish(answer: Answer, streams: &Streams) -> Result<Response<Vec<u8>>, String> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = match answer.body {
        Body::Whole(bytes) => bytes,
        Body::Stream(pieces) => {
            let stream = streams.begin(pieces).map_err(|error| error.to_string())?;
            response = response.header(STREAM, stream);
            Vec::new()
        }
    };
    response.body(body).map_err(|error| error.to_string())
}

/// What stands for no answer: wry cannot let a request fail.
fn unanswered(why: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(why.as_bytes().to_vec());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let (yes, text) = (HeaderValue::from_static("1"), HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().extend([(HeaderName::from_static(UNANSWERED), yes), (CONTENT_TYPE, text)]);
    response
}
