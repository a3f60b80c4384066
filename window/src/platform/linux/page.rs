//! The page in the frame: where its requests go, and where its links lead.

use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::thread;

use ensafer_client::home::Home;
use ensafer_client::local_api::Asked;
use gtk::gio::prelude::*;
use gtk::gio::{Cancellable, IOErrorEnum, InputStream, MemoryInputStream, UnixInputStream};
use gtk::glib::thread_guard::ThreadGuard;
use gtk::glib::{self, Bytes, MainContext};
use gtk::prelude::*;
use soup::{MessageHeaders, MessageHeadersType};
use webkit2gtk::{
    CacheModel, HitTestResultExt, NavigationPolicyDecision, NavigationPolicyDecisionExt, PolicyDecision,
    PolicyDecisionExt, PolicyDecisionType, SecurityManagerExt, Settings, SettingsExt, URIRequestExt,
    URISchemeRequest, URISchemeRequestExt, URISchemeResponse, URISchemeResponseExt, WebContext,
    WebContextExt, WebView, WebViewExt,
};
use zeroize::Zeroizing;

use super::download;
use crate::address::{self, Leads, SCHEME};
use crate::error::WindowError;
use crate::relay::{self, Answer, Body, RelayError};

/// The daemon takes no longer bodies (`BODY_LIMIT_BYTES` of its `local_api/server.rs`); its refusal of this one is the
/// answer then.
const LONGEST_BODY_BYTES: usize = 64 * 1024 + 1;

/// A page that asks the daemon of `home`, and is about to be loaded. Nothing of it is kept.
pub fn show(home: &Home, window: &gtk::ApplicationWindow) -> WebView {
    let context = WebContext::new_ephemeral();
    context.set_cache_model(CacheModel::DocumentViewer);
    let asking = home.clone();
    context.register_uri_scheme(SCHEME, move |request| answer(&asking, request));
    if let Some(security) = context.security_manager() {
        // It never leaves this computer.
        security.register_uri_scheme_as_secure(SCHEME);
    }
    download::offer(&context, window);
    let view = WebView::builder().web_context(&context).settings(&settings()).build();
    let (titled, opened) = (window.downgrade(), window.downgrade());
    view.connect_title_notify(move |view| {
        let title = view.title().filter(|title| !title.is_empty());
        if let (Some(window), Some(title)) = (titled.upgrade(), title) {
            window.set_title(&title);
        }
    });
    view.connect_decide_policy(move |_, decision, kind| decide(opened.upgrade().as_ref(), decision, kind));
    view.connect_context_menu(|_, _, _, hit| !hit.context_is_editable() && !hit.context_is_selection());
    come_back(&view, home, window);
    view
}

/// A page that does not come, because the daemon has just ended, or that crashed, is not the end of the window.
fn come_back(view: &WebView, home: &Home, window: &gtk::ApplicationWindow) {
    let (home, closed, crashed) = (home.clone(), window.downgrade(), window.downgrade());
    view.connect_load_failed(move |view, _, address, error| {
        let is_unanswered = error.matches(IOErrorEnum::NotConnected);
        if is_unanswered && super::insist_on_daemon(&home).is_ok() {
            view.load_uri(address);
        } else if let (true, Some(window)) = (is_unanswered, closed.upgrade()) {
            window.close();
        }
        is_unanswered
    });
    view.connect_web_process_terminated(move |view, _| {
        if super::ask_to_try_again(&WindowError::Crashed) {
            view.reload();
        } else if let Some(window) = crashed.upgrade() {
            window.close();
        }
    });
}

/// What the page does not use is off.
fn settings() -> Settings {
    let settings = Settings::new();
    settings.set_enable_developer_extras(false);
    settings.set_enable_page_cache(false);
    settings.set_enable_html5_database(false);
    settings.set_enable_media(false);
    settings.set_enable_webaudio(false);
    settings.set_enable_webgl(false);
    settings.set_enable_dns_prefetching(false);
    settings
}

/// Links stay within the page, lead to a file, or leave the window.
fn decide(
    window: Option<&gtk::ApplicationWindow>,
    decision: &PolicyDecision,
    kind: PolicyDecisionType,
) -> bool {
    if !matches!(kind, PolicyDecisionType::NavigationAction | PolicyDecisionType::NewWindowAction) {
        return false;
    }
    let action = decision.downcast_ref::<NavigationPolicyDecision>();
    let request = action.and_then(NavigationPolicyDecision::navigation_action).and_then(|it| it.request());
    let address = request.and_then(|request| request.uri()).unwrap_or_default();
    match Leads::to(&address) {
        Leads::Here if kind == PolicyDecisionType::NavigationAction => decision.use_(),
        Leads::Elsewhere => {
            decision.ignore();
            if let Err(error) = gtk::show_uri_on_window(window, &address, gtk::current_event_time()) {
                glib::g_warning!("ensafer", "a link cannot be opened: {error}");
            }
        }
        Leads::ToDisk => decision.download(),
        Leads::Here | Leads::Nowhere => decision.ignore(),
    }
    true
}

/// Has a request answered on a thread of its own.
fn answer(home: &Home, request: &URISchemeRequest) {
    let Some(asked) = asked(request) else {
        request.finish_error(&mut glib::Error::new(IOErrorEnum::NotFound, "that is not the page's"));
        return;
    };
    // WebKit's object goes through that thread and is used by this one only.
    let (home, request) = (home.clone(), ThreadGuard::new(request.clone()));
    thread::spawn(move || {
        relay::pass_on(&home, asked, |answer| {
            MainContext::default().spawn(async move { finish(&request.into_inner(), answer) });
        });
    });
}

fn asked(request: &URISchemeRequest) -> Option<Asked> {
    let uri = request.uri()?;
    let headers = request.http_headers();
    Some(Asked {
        method: request.http_method()?.into(),
        target: address::target(&uri)?.to_owned(),
        content_type: headers.and_then(|headers| headers.one("content-type")).map(Into::into),
        body: body(request),
    })
}

fn body(request: &URISchemeRequest) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(vec![0; LONGEST_BODY_BYTES]);
    let nothing: Option<&Cancellable> = None;
    let read = request.http_body().and_then(|stream| stream.read_all(&mut body[..], nothing).ok());
    body.truncate(read.map_or(0, |(length, _)| length));
    body
}

fn finish(request: &URISchemeRequest, answer: Result<Answer, RelayError>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            request.finish_error(&mut glib::Error::new(IOErrorEnum::NotConnected, &error.to_string()));
            return;
        }
    };
    let headers = MessageHeaders::new(MessageHeadersType::Response);
    for (name, value) in &answer.headers {
        headers.append(name, value);
    }
    let content_type = answer.header("content-type").map(str::to_owned);
    let stream: InputStream = match answer.body {
        Body::Whole(bytes) => MemoryInputStream::from_bytes(&Bytes::from_owned(bytes)).upcast(),
        Body::Stream(pieces) => input_stream(pieces).upcast(),
    };
    // -1: as long as the stream is.
    let response = URISchemeResponse::new(&stream, -1);
    response.set_status(answer.status.into(), None);
    if let Some(content_type) = content_type {
        response.set_content_type(&content_type);
    }
    response.set_http_headers(headers);
    request.finish_with_response(&response);
}

#[allow(unsafe_code, reason = "GIO's streams of descriptors are made so")]
fn input_stream(pieces: PipeReader) -> UnixInputStream {
    // SAFETY: the descriptor is given away here, and the stream closes it; nobody else has it.
    unsafe { UnixInputStream::take_fd(OwnedFd::from(pieces)) }
}
