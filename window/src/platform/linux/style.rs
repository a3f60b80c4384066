//! The desktop's light or dark style. GTK 3 knows dark themes only; desktops say it by the settings portal
//! (org.freedesktop.portal.Settings, "org.freedesktop.appearance color-scheme").

use gtk::gio::prelude::*;
use gtk::gio::{BusType, Cancellable, DBusCallFlags, DBusProxy, DBusProxyFlags};
use gtk::glib::Variant;
use gtk::prelude::*;

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
const INTERFACE: &str = "org.freedesktop.portal.Settings";
const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";
/// Prefer a dark appearance; 0 is no preference, and 2 a light one.
const DARK: u32 = 1;

/// Follows the desktop from now on. Without a portal GTK's theme says how the page looks.
pub fn follow() {
    let nothing: Option<&Cancellable> = None;
    let flags = DBusProxyFlags::DO_NOT_LOAD_PROPERTIES;
    DBusProxy::for_bus(
        BusType::Session,
        flags,
        None,
        PORTAL,
        PORTAL_PATH,
        INTERFACE,
        nothing,
        move |proxy| {
            let Ok(proxy) = proxy else { return };
            let kept = proxy.clone();
            proxy.connect_local("g-signal", false, move |values| {
                // The signal keeps its proxy, for as long as the program runs.
                let _ = &kept;
                let name: String = values.get(2)?.get().ok()?;
                let parameters: Variant = values.get(3)?.get().ok()?;
                if name == "SettingChanged" {
                    show(changed(&parameters));
                }
                None
            });
            let asked = (NAMESPACE, KEY).to_variant();
            proxy.call("Read", Some(&asked), DBusCallFlags::NONE, -1, nothing, |answer| {
                show(answer.ok().as_ref().and_then(|answer| scheme(&answer.try_child_value(0)?)));
            });
        },
    );
}

fn show(scheme: Option<u32>) {
    if let (Some(scheme), Some(settings)) = (scheme, gtk::Settings::default()) {
        settings.set_gtk_application_prefer_dark_theme(scheme == DARK);
    }
}

/// What `SettingChanged (ssv)` says of the style.
fn changed(parameters: &Variant) -> Option<u32> {
    let is_it = parameters.try_child_get::<String>(0).ok()??.as_str() == NAMESPACE
        && parameters.try_child_get::<String>(1).ok()??.as_str() == KEY;
    if is_it { scheme(&parameters.try_child_value(2)?) } else { None }
}

/// The number, in however many variants: `Read` answers with one in another.
fn scheme(value: &Variant) -> Option<u32> {
    match value.as_variant() {
        Some(inner) => scheme(&inner),
        None => value.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_is_read_from_what_the_portal_says() {
        let value = |scheme: u32| scheme.to_variant().to_variant();
        assert_eq!(scheme(&value(1)), Some(1));
        assert_eq!(scheme(&value(2).to_variant()), Some(2));
        assert_eq!(scheme(&"dark".to_variant()), None);
        let of = |namespace: &str, key: &str| (namespace, key, 1_u32.to_variant()).to_variant();
        assert_eq!(changed(&of(NAMESPACE, KEY)), Some(1));
        assert_eq!(changed(&of(NAMESPACE, "accent-color")), None);
        assert_eq!(changed(&of("org.gnome.desktop.interface", KEY)), None);
    }
}
