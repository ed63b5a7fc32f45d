public import Delivery
public import JSON
public import Model

/// Braze as a destination: emissions become objects of `POST /users/track`, whose answers become verdicts.
///
/// Promises: the payloads of the Braze destination specification (spec: braze-destination §3–§6, §12, §20) with the
/// defaults of its §19: one primary identifier per object, `_update_existing_only: false`, the time of an event is its
/// `receivedAt`, no empty requests; answers read as §14 says, with every error put back on the object it names. The key
/// stands in one header and nowhere else.
public struct BrazeDestination: DestinationAdapter {
    public static let kind = "braze"
    public static let secretSettings: Set<String> = ["api_key"]
    /// The version of the mapping, told in the user agent.
    public static let version = "1.0"

    /// The validated settings.
    public let settings: BrazeSettings

    public init(settings: JSONObject) throws(SettingsError) {
        self.settings = try BrazeSettings(settings)
    }

    /// 75 objects of all arrays together and 4 MB are within every contract (braze §1.6), 75 of each array within older
    /// ones; 100 requests per second is what Segment allows itself towards Braze (engage §7.10).
    public var limits: DestinationLimits {
        DestinationLimits(
            objectsPerRequest: settings.countsObjectsPerArray ? 75 * BrazeArray.allCases.count : 75,
            objectsPerArray: settings.countsObjectsPerArray ? 75 : nil, bytesPerRequest: 4_000_000,
            bytesPerObject: 100_000, requestsPerSecond: settings.requestsPerSecond)
    }

    public var ledgerScope: String { settings.workspaceFingerprint }

    // MARK: Emissions

    public func map(_ emission: Emission) -> Mapping {
        let call: JSONValue
        do {
            call = try JSONValue(parsing: emission.payload)
        } catch {
            return .refused(reason: "The call in the outbox is not valid JSON: \(error)")
        }
        do {
            switch emission.kind {
            case .identify: return try UserProfileMapping(settings: settings).map(call)
            case .track where call["event"]?.string == "Order Completed" && call["properties"]?["products"] != nil:
                return try PurchaseMapping(settings: settings).map(call)
            case .track: return try TrackEventMapping(settings: settings).map(call)
            case .group:
                return .refused(
                    reason: "Braze knows persons only: send an account audience or trait as identify or track")
            }
        } catch {
            return .refused(reason: error.description)
        }
    }

    // MARK: Requests

    public func request(for objects: [OutgoingObject]) -> DestinationRequest {
        var body: [UInt8] = []
        for array in BrazeArray.allCases {
            let members = objects.filter { $0.array == array.rawValue }
            guard !members.isEmpty else { continue }
            body += Array((body.isEmpty ? "{" : ",").utf8)
            body += Array("\"\(array.rawValue)\":[".utf8)
            for (index, member) in members.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                body += member.json
            }
            body.append(UInt8(ascii: "]"))
        }
        body += Array((body.isEmpty ? "{}" : "}").utf8)
        return request(body: body, isBatch: objects.count > 1)
    }

    /// The cheapest request that tells a good key from a bad one: Braze answers 400 when only the data is missing
    /// (braze §7.6).
    public var probe: DestinationRequest? { request(body: Array(#"{"attributes":[]}"#.utf8), isBatch: false) }

    private func request(body: [UInt8], isBatch: Bool) -> DestinationRequest {
        var headers = [
            DestinationRequest.Header("Authorization", "Bearer \(settings.apiKey)"),
            DestinationRequest.Header("User-Agent", "partner-Muster-Muster/\(Self.version)"),
        ]
        if isBatch { headers.append(DestinationRequest.Header("X-Braze-Batch", "true")) }
        return DestinationRequest(url: settings.endpoint + "/users/track", headers: headers, body: body)
    }
}

/// The arrays of `/users/track`, in the order in which Braze applies them (braze §1.7).
enum BrazeArray: String, CaseIterable {
    case attributes
    case events
    case purchases
}

/// Why a call can't be sent to Braze.
struct MappingError: Error, Hashable, CustomStringConvertible {
    /// The field of the action, where one is at fault.
    var field: String?
    var message: String

    var description: String { field.map { "\($0): \(message)" } ?? message }
}
