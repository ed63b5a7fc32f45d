// A request to a destination and what can come back.

/// A POST with a JSON body.
public struct DestinationRequest: Sendable, Hashable {
    public var url: String
    /// May hold secrets: never recorded.
    public var headers: [Header]
    /// What is sent and recorded; must not hold secrets.
    public var body: [UInt8]

    public struct Header: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(url: String, headers: [Header], body: [UInt8]) {
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// An HTTP answer.
public struct DestinationResponse: Sendable, Hashable {
    public var status: Int
    public var headers: [DestinationRequest.Header]
    public var body: [UInt8]

    public init(status: Int, headers: [DestinationRequest.Header] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; names compare without regard to case.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}

/// Why there is no answer.
public enum TransportFailure: Error, Sendable, Hashable {
    /// The name of the host does not resolve.
    case unknownHost(String)
    case connectionRefused(String)
    /// No connection within the time allowed: nothing was sent.
    case connectTimeout(String)
    /// The request was sent, at least in part; whether it took effect is unknown.
    case answerTimeout
    case connectionLost
    /// The connection can't be made for another reason, for example an untrusted certificate: nothing was sent.
    case notConnected(String)

    /// Whether the request may have taken effect.
    public var mayHaveTakenEffect: Bool {
        switch self {
        case .answerTimeout, .connectionLost: true
        case .unknownHost, .connectionRefused, .connectTimeout, .notConnected: false
        }
    }
}

extension TransportFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownHost(let host): "The host \(host) can't be found"
        case .connectionRefused(let host): "Nothing answers at \(host): the connection was refused"
        case .connectTimeout(let host): "\(host) can't be reached: no connection within the time allowed"
        case .answerTimeout: "No answer within the time allowed: the request may have taken effect"
        case .connectionLost: "The connection broke before the answer came: the request may have taken effect"
        case .notConnected(let reason): "No connection: \(reason)"
        }
    }
}

public enum Reply: Sendable, Hashable {
    case response(DestinationResponse)
    case failure(TransportFailure)
}

/// What an answer means for the objects of its request.
public enum Verdict: Sendable, Hashable {
    /// The request was taken, but for the objects named by their place in the request (the destination's words), which
    /// are refused for good. `unplaced` holds errors that name no place.
    case taken(rejected: [Int: String], unplaced: [String])
    /// Nothing was taken because of the objects named; the others may be sent again without them.
    case rejected([Int: String], message: String)
    /// The content was refused as a whole, without naming an object.
    case refused(message: String)
    /// The body is too large.
    case tooLarge(message: String)
    /// Answered like a success, yet nothing was taken.
    case notTaken(message: String)
    /// Too many requests: wait as the headers say.
    case throttled(message: String)
    /// A passing failure of the destination.
    case unavailable(message: String)
    /// Every request will fail until a person changes something: what, in words.
    case misconfigured(reason: String)
}

/// What a connection test found.
public enum ProbeVerdict: Sendable, Hashable {
    /// Settings work.
    case working
    /// A person must change something: what, in words.
    case misconfigured(reason: String)
    /// Could not be found out now.
    case unavailable(reason: String)
}
