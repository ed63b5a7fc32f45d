import ConsoleAssets
import HTTPTypes
public import Hummingbird
import NIOCore

/// The pages that people look at: audiences, computed traits, profiles, sources, destinations, debugger.
///
/// Promises: works without internet access, since every file is in the program (`ConsoleAssets`); uses the HTTP API that
/// scripts use and nothing else; shows hostile data as text, for which the Content-Security-Policy stands in as well: no
/// inline script, no foreign origin, no text parsed as HTML.
public enum Console {
    /// Adds `/` and `/assets/…`. Put the routes behind the same `AccessMiddleware` as the API.
    public static func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        let files = ConsoleFile.all
        guard let index = files["index.html"] else {
            preconditionFailure("the console's index.html is not compiled in")
        }
        router.get("/") { request, _ in index.response(to: request) }
        for (name, file) in files where name != "index.html" {
            router.get(RouterPath("/assets/\(name)")) { request, _ in file.response(to: request) }
        }
    }

    /// The names of the files under `/assets/`, ascending.
    public static var assetNames: [String] { ConsoleFile.all.keys.sorted().filter { $0 != "index.html" } }
}

/// One file with what a browser needs to know of it.
struct ConsoleFile: Sendable {
    let bytes: ByteBuffer
    let contentType: String
    /// Changes with the content, so that browsers keep a file exactly as long as it is the current one.
    let tag: String

    static let all: [String: ConsoleFile] = {
        var files: [String: ConsoleFile] = [:]
        for asset in UnsafeBufferPointer(start: console_assets(), count: console_asset_count()) {
            let name = String(cString: asset.name)
            files[name] = ConsoleFile(name: name, UnsafeBufferPointer(start: asset.bytes, count: asset.size))
        }
        return files
    }()

    private init(name: String, _ content: UnsafeBufferPointer<UInt8>) {
        bytes = ByteBuffer(bytes: content)
        let types = [
            "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
            "css": "text/css; charset=utf-8", "svg": "image/svg+xml",
        ]
        let suffix = name.split(separator: ".").last.map(String.init) ?? ""
        contentType = types[suffix] ?? "application/octet-stream"
        // FNV-1a: the tag tells versions of this program's own files apart, no more.
        let hash = content.reduce(14_695_981_039_346_656_037 as UInt64) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        tag = "\"\(String(hash, radix: 36))\""
    }

    func response(to request: Request) -> Response {
        var headers = ConsoleFile.securityHeaders
        headers[.eTag] = tag
        headers[.cacheControl] = "no-cache"
        if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = contentType
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
    }

    private static let securityHeaders: HTTPFields = {
        var headers = HTTPFields()
        let policy = [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
        headers[.contentSecurityPolicy] = policy.joined(separator: "; ")
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }()
}
