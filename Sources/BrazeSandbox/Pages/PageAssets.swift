/// The pages: one HTML frame, small ES modules and a style sheet, built into the program. Nothing comes from elsewhere.
extension Sandbox {
    private static let script = "text/javascript; charset=utf-8"

    private static let assets: [String: (type: String, bytes: [UInt8])] = [
        "icon.svg": ("image/svg+xml", PackageResources.icon_svg),
        "style.css": ("text/css; charset=utf-8", PackageResources.style_css),
        "app.js": (script, PackageResources.app_js),
        "dom.js": (script, PackageResources.dom_js),
        "users.js": (script, PackageResources.users_js),
        "segments.js": (script, PackageResources.segments_js),
        "builder.js": (script, PackageResources.builder_js),
        "messages.js": (script, PackageResources.messages_js),
        "data.js": (script, PackageResources.data_js),
        "requests.js": (script, PackageResources.requests_js),
        "settings.js": (script, PackageResources.settings_js),
    ]

    /// Pages execute only their own scripts, and nobody may frame them.
    private static let pageHeaders = [
        ("content-type", "text/html; charset=utf-8"), ("cache-control", "no-cache"),
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
    ]

    /// `parts` is the path below `/sandbox`. Every page has the same frame; its script reads the path.
    func page(_ request: SandboxRequest, _ parts: [String]) -> SandboxAnswer {
        guard request.method == "GET" || request.method == "HEAD" else {
            return .message(405, "Pages are read with GET.")
        }
        if parts.first == "assets" {
            guard parts.count == 2, let asset = Sandbox.assets[parts[1]] else { return .message(404, "Not Found") }
            return SandboxAnswer(
                status: 200,
                headers: [
                    ("content-type", asset.type), ("cache-control", "no-cache"), ("x-content-type-options", "nosniff"),
                ],
                body: asset.bytes)
        }
        if parts.first == "exports", parts.count == 2, parts[1].hasSuffix(".zip") {
            return exportArchive(String(parts[1].dropLast(4)))
        }
        let known = ["users", "segments", "campaigns", "canvases", "events", "attributes", "requests", "settings"]
        let isKnown = parts.first.map { known.contains($0) } ?? false
        return SandboxAnswer(status: isKnown ? 200 : 404, headers: Sandbox.pageHeaders, body: PackageResources.app_html)
    }
}
