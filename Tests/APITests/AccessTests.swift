import HTTPTypes
import Hummingbird
import JSON
import NIOCore
import Testing

@testable import API

/// Who gets in (docs/api.md, "Access" and "Foreign pages").
@Suite struct AccessTests {
    @Test("With a password every path needs it, as Bearer or in either field of Basic")
    func password() async throws {
        let installation = try Installation(password: "s3cret:x")
        try await installation.test { (client) async throws in
            for path in ["/", "/assets/main.js", "/status", "/spaces", "/sources", "/destinations"] {
                let answer = try await client.get(path)
                #expect(answer.status == 401, "\(path)")
                #expect(answer.headers[.wwwAuthenticate]?.hasPrefix("Basic") == true)
                #expect(!answer.text.contains("<html"))
            }
            func status(_ authorization: String) async throws -> Int {
                try await client.get("/status", headers: [.authorization: authorization]).status
            }
            #expect(try await status("Bearer s3cret:x") == 200)
            #expect(try await status("bearer s3cret:x") == 200)
            #expect(try await status("Bearer s3cret:y") == 401)
            #expect(try await status("Bearer ") == 401)
            #expect(try await status("Basic !!!") == 401)
        }
        let simple = try Installation(password: "pa55")
        try await simple.test { (client) async throws in
            func status(_ credentials: String) async throws -> Int {
                let header = "Basic \(Base64.encode(credentials))"
                return try await client.get("/status", headers: [.authorization: header]).status
            }
            #expect(try await status("pa55:") == 200)
            #expect(try await status("admin:pa55") == 200)
            #expect(try await status("pa55:other") == 200)
            #expect(try await status("admin:") == 401)
            #expect(try await status(":") == 401)
        }
    }

    @Test(
        "Without a password only loopback names are answered",
        arguments: [
            ("localhost:7700", true), ("127.0.0.1:7700", true), ("[::1]:7700", true), ("127.1.2.3", true),
            ("muster.localhost", true), ("evil.example:7700", false), ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false), ("192.168.1.5:7700", false),
        ])
    func rebinding(host: String, isAnswered: Bool) {
        let policy = AccessPolicy(password: nil)
        #expect((policy.objection(to: request(host: host)) == nil) == isAnswered)
        #expect(AccessPolicy(password: nil, ownHosts: [host]).objection(to: request(host: host)) == nil)
    }

    @Test("Pages of other origins are refused; the server's own and plain programs are not")
    func foreignPages() {
        let policy = AccessPolicy(password: nil)
        func kind(_ fields: HTTPFields, _ method: HTTPRequest.Method = .get) -> APIError.Kind? {
            policy.objection(to: request(host: "localhost:7700", method: method, fields))?.kind
        }
        #expect(kind([:]) == nil)
        #expect(kind([.origin: "http://localhost:7700"]) == nil)
        #expect(kind([.origin: "http://localhost:3000"]) == .forbidden)
        #expect(kind([.origin: "https://evil.example"]) == .forbidden)
        #expect(kind([.origin: "null"]) == .forbidden)
        #expect(kind([.secFetchSite: "cross-site"]) == .forbidden)
        #expect(kind([.secFetchSite: "cross-site", .secFetchMode: "navigate"]) == nil)
        #expect(kind([.secFetchSite: "cross-site", .secFetchMode: "navigate"], .post) == .forbidden)
        #expect(kind([.secFetchSite: "same-origin"]) == nil)
    }

    @Test("Changes need a JSON content type, which a form can't send")
    func contentType() {
        let policy = AccessPolicy(password: nil)
        func kind(_ type: String?) -> APIError.Kind? {
            var fields = HTTPFields()
            if let type { fields[.contentType] = type }
            return policy.objection(to: request(host: "localhost", method: .post, fields))?.kind
        }
        #expect(kind("application/json") == nil)
        #expect(kind("application/json; charset=utf-8") == nil)
        #expect(kind("application/vnd.segment.v1+json") == nil)
        #expect(kind(nil) == .unsupportedMediaType)
        #expect(kind("text/plain") == .unsupportedMediaType)
        #expect(kind("application/x-www-form-urlencoded") == .unsupportedMediaType)
        #expect(kind("multipart/form-data; boundary=x+json") == .unsupportedMediaType)
    }

    @Test("Bodies are bounded, JSON, and objects; no answer has CORS headers")
    func bodies() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let large = "{\"name\":\"" + String(repeating: "x", count: 1 << 20) + "\"}"
            #expect(try await client.send(.post, "/sources", large).status == 413)
            #expect(try await client.send(.post, "/sources", "{").status == 400)
            #expect(try await client.send(.post, "/sources", "[]").status == 400)
            let answer = try await client.get("/sources")
            #expect(answer.status == 200)
            #expect(answer.headers[.accessControlAllowOrigin] == nil)
            #expect(answer.headers[.requestID] != nil)
            #expect(answer.headers[.cacheControl] == "no-store")
        }
    }

    @Test("The console comes with a strict policy and is kept by its tag")
    func console() async throws {
        let installation = try Installation()
        try await installation.test { (client) async throws in
            let page = try await client.get("/")
            #expect(page.status == 200)
            let policy = try #require(page.headers[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
            #expect(!policy.contains("unsafe"))
            #expect(!page.text.contains("<script>"))
            let script = try await client.get("/assets/pages/overview.js")
            #expect(script.headers[.contentType] == "text/javascript; charset=utf-8")
            let tag = try #require(script.headers[.eTag])
            let again = try await client.get("/assets/pages/overview.js", headers: [.ifNoneMatch: tag])
            #expect(again.status == 304)
        }
    }

    private func request(host: String, method: HTTPRequest.Method = .get, _ fields: HTTPFields = [:]) -> Request {
        Request(
            head: HTTPRequest(method: method, scheme: "http", authority: host, path: "/status", headerFields: fields),
            body: RequestBody(buffer: ByteBuffer()))
    }
}
