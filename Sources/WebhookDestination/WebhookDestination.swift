public import Delivery
public import JSON
public import Model

/// Signed webhooks as a destination: every call as it is, in batches, to an address of one's own.
///
/// Promises: a request is `{"batch":[…]}` with Segment calls in the order of each profile, each with the message id by
/// which a receiver recognises a repeat; it is signed with HMAC-SHA256 over the instant of sending and the body, under
/// one secret or, while secrets are exchanged, under two; the secrets stand nowhere in it. `docs/destinations.md` tells
/// how a receiver checks the signature.
public struct WebhookDestination: DestinationAdapter {
    public static let kind = "webhook"
    public static let secretSettings: Set<String> = ["secret", "old_secret"]
    /// The header that holds the instant and the signatures: `t=1767225600,v1=5f2c…[,v1=…]`.
    public static let signatureHeader = "Muster-Signature"

    /// The validated settings.
    public let settings: WebhookSettings

    public init(settings: JSONObject) throws(SettingsError) {
        self.settings = try WebhookSettings(settings)
    }

    public var limits: DestinationLimits {
        DestinationLimits(
            objectsPerRequest: settings.batchSize, bytesPerRequest: 4_000_000, bytesPerObject: 500_000,
            requestsPerSecond: 50)
    }

    public var ledgerScope: String { settings.url }

    // MARK: Calls

    /// Every call is told, none merged or left out: what a receiver does with it is not known here.
    public func map(_ emission: Emission) -> Mapping {
        guard case .object(var call)? = try? JSONValue(parsing: emission.payload) else {
            return .refused(reason: "The call in the outbox is not valid JSON")
        }
        call["mapping"] = nil
        // People who were deleted have no profile to be told in the order of.
        let person =
            emission.profile == .nobody
            ? "user:\(call["userId"]?.string ?? "")" : "profile:\(emission.profile.rawValue)"
        return .occurrence(
            person: person,
            Occurrence(objects: [OutgoingObject(array: Self.array, call)]))
    }

    private static let array = "batch"

    // MARK: Requests

    public func request(for objects: [OutgoingObject]) -> DestinationRequest {
        var writer = JSONWriter(capacity: objects.reduce(32) { $0 + $1.json.count + 1 })
        writer.write(raw: "{\"batch\":[")
        for (index, object) in objects.enumerated() {
            if index > 0 { writer.write(raw: ",") }
            writer.write(raw: object.json[...])
        }
        writer.write(raw: "]}")
        return DestinationRequest(
            url: settings.url, headers: [DestinationRequest.Header("User-Agent", "Muster-Webhook/1.0")],
            body: writer.bytes)
    }

    /// An empty batch, signed like any other: what a receiver must accept without doing anything.
    public var probe: DestinationRequest? { request(for: []) }

    public func seal(_ request: DestinationRequest, at instant: Instant) -> DestinationRequest {
        var sealed = request
        let signature = WebhookSignature(secrets: settings.secrets)
        sealed.headers.append(
            DestinationRequest.Header(
                Self.signatureHeader, signature.header(over: request.body, seconds: instant.milliseconds / 1000)))
        return sealed
    }

    // MARK: Answers

    public func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict {
        switch response.status {
        case 200..<300: return .taken(rejected: Self.errors(response, count: objects.count), unplaced: [])
        case 300..<400, 401, 403, 404, 405, 410: return .misconfigured(reason: misconfiguration(response))
        case 413: return .tooLarge(message: Self.words(response))
        case 429: return .throttled(message: Self.words(response))
        case 408, 423, 425, 500...: return .unavailable(message: Self.words(response))
        default: return .refused(message: Self.words(response))
        }
    }

    public func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict {
        switch response.status {
        case 200..<300, 429: .working
        case 408, 423, 425, 500...: .unavailable(reason: "\(settings.url) answered \(Self.words(response))")
        default: .misconfigured(reason: misconfiguration(response))
        }
    }

    /// A receiver may name calls that it refuses: `{"errors":[{"index":1,"message":"unknown user"}]}`.
    private static func errors(_ response: DestinationResponse, count: Int) -> [Int: String] {
        guard let errors = (try? JSONValue(parsing: response.body))?["errors"]?.array else { return [:] }
        var rejected: [Int: String] = [:]
        for error in errors {
            guard let index = error["index"]?.integer, (0..<count).contains(index), rejected[index] == nil else {
                continue
            }
            rejected[index] = error["message"]?.string ?? error.description
        }
        return rejected
    }

    private func misconfiguration(_ response: DestinationResponse) -> String {
        let words = Self.words(response)
        switch response.status {
        case 401, 403:
            return
                "\(settings.url) does not accept the signature (\(words)). Check that the receiver has the secret of "
                + "this destination and that the two clocks agree to a few minutes"
        case 300..<400:
            return "\(settings.url) answers with a redirect (\(words)). Enter the address that it leads to"
        default:
            return "\(settings.url) does not take calls (\(words)). Check the address: it must answer a POST with 2xx"
        }
    }

    /// The status with the beginning of what the receiver said.
    private static func words(_ response: DestinationResponse) -> String {
        let body = try? JSONValue(parsing: response.body)
        let text = body?["message"]?.string ?? body?["error"]?.string ?? String(decoding: response.body, as: UTF8.self)
        let line = text.prefix { !$0.isNewline }.prefix(200)
        return line.isEmpty ? "\(response.status)" : "\(response.status) \(line)"
    }
}
