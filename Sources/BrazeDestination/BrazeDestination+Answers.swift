public import Delivery
import JSON

// What Braze's answers mean (braze §1.3, §1.4, §7.4; braze-destination §14).

extension BrazeDestination {
    public func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict {
        let answer = BrazeAnswer(response)
        let array = objects.first.flatMap { BrazeArray(rawValue: $0.array) } ?? .attributes
        if !array.isOfTrack, let verdict = verdict(answer, onSideOf: array, count: objects.count) { return verdict }
        switch response.status {
        case 200..<300:
            if let message = answer.refusal { return .notTaken(message: message) }
            let (placed, unplaced) = answer.errors(among: objects)
            return .taken(rejected: placed, unplaced: unplaced)
        case 400:
            let (placed, unplaced) = answer.errors(among: objects)
            // Seen: a 400 that counts what it processed. The objects it does not name are in.
            if answer.processed > 0 { return .taken(rejected: placed, unplaced: unplaced) }
            return placed.isEmpty ? .refused(message: answer.message) : .rejected(placed, message: answer.message)
        case 401, 403, 300..<400, 404, 405, 501:
            return .misconfigured(reason: misconfiguration(answer))
        case 413: return .tooLarge(message: answer.message)
        case 429: return .throttled(message: answer.message)
        case 408, 423, 500...: return .unavailable(message: answer.message)
        default: return .refused(message: answer.message)
        }
    }

    /// What a key may not do beside `/users/track` concerns these objects, not the destination: the rest goes on.
    private func verdict(_ answer: BrazeAnswer, onSideOf array: BrazeArray, count: Int) -> Verdict? {
        switch answer.status {
        // What Braze has to say of a message that it took, such as recipients whom it does not know.
        case 200..<300 where array.isTrigger:
            if let message = answer.refusal { return .notTaken(message: message) }
            return .taken(rejected: [:], unplaced: answer.notice.map { [$0] } ?? [])
        // A user whom Braze does not know is as deleted as can be (braze-destination §15).
        case 404 where array == .externalIDs: return .taken(rejected: [:], unplaced: [])
        case 403, 404, 405:
            let words =
                "Braze at \(host) does not let this API key use \(array.path) (\(answer.message)): create a key that has "
                + "the permission \(array.permission) too, then redrive"
            return .rejected(Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, words) }), message: words)
        default: return nil
        }
    }

    public func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict {
        let answer = BrazeAnswer(response)
        switch response.status {
        // Braze looks at key, path, permission and rate before it looks at the data.
        case 200..<300, 400, 429: return .working
        case 408, 423, 500, 502...: return .unavailable(reason: "\(host) answered \(answer.message)")
        default: return .misconfigured(reason: misconfiguration(answer))
        }
    }

    private var host: String { settings.endpoint }

    /// What to change, in words for people.
    private func misconfiguration(_ answer: BrazeAnswer) -> String {
        switch answer.status {
        case 401:
            "Braze at \(host) does not accept the API key (\(answer.message)). Check that it is a REST API key, copied "
                + "whole, and that the data centre is the one in the address of your Braze dashboard: a key is refused "
                + "like this at every data centre but its own"
        case 403:
            "Braze at \(host) does not let this API key write users (\(answer.message)). Create a REST API key with the "
                + "permission users.track (permissions of a key can't be changed later); if the key has an IP allow "
                + "list, this machine's address must be on it"
        default:
            "\(host) does not answer like Braze's REST API (\(answer.message)). Check the data centre: it must be a "
                + "REST address such as https://rest.iad-01.braze.com"
        }
    }
}

/// A body of Braze's, read tolerantly.
struct BrazeAnswer {
    let status: Int
    private let body: JSONValue?
    private let isEmpty: Bool

    init(_ response: DestinationResponse) {
        status = response.status
        isEmpty = response.body.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        body = try? JSONValue(parsing: response.body)
    }

    /// Braze's own words with the status; the status alone where there are none.
    var message: String {
        let words = body?["message"]?.string ?? body?["error"]?.string
        return words.map { "\(status) \($0)" } ?? "\(status)"
    }

    /// Why an answer that looks like a success is none; `nil` if it is one. Test servers answer with nothing: that counts.
    var refusal: String? {
        if isEmpty { return nil }
        guard let body, body.object != nil else { return "\(status) with a body that is not Braze's" }
        guard let message = body["message"], message != "success" else { return nil }
        return "\(status) \(message.string ?? message.description)"
    }

    var notice: String? { body?["notice"]?.string }

    /// Objects that the answer says were processed.
    var processed: Int {
        ["attributes_processed", "events_processed", "purchases_processed"]
            .reduce(0) { $0 + (body?[$1]?.integer ?? 0) }
    }

    /// Errors by the place of their object in the request, the first of each, and those that name none. `index` counts in
    /// its array as it was sent; an answer may leave `input_array` out where one array was sent.
    func errors(among objects: [OutgoingObject]) -> (placed: [Int: String], unplaced: [String]) {
        guard let errors = body?["errors"]?.array, !errors.isEmpty else { return ([:], []) }
        var places: [String: [Int]] = [:]
        for (place, object) in objects.enumerated() {
            let array = BrazeArray(rawValue: object.array)?.member ?? object.array
            places[array, default: []].append(place)
        }
        var placed: [Int: String] = [:]
        var unplaced: [String] = []
        for error in errors {
            let words = error["type"]?.string ?? error.string ?? error.description
            let array = error["input_array"]?.string ?? (places.count == 1 ? places.keys.first : nil)
            if let array, let index = error["index"]?.integer, let inArray = places[array],
                inArray.indices.contains(index)
            {
                if placed[inArray[index]] == nil { placed[inArray[index]] = words }
            } else {
                unplaced.append(words)
            }
        }
        return (placed, unplaced)
    }
}
