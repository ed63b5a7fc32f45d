public import Delivery
public import JSON
public import Model

/// Braze as a destination: emissions become objects of `POST /users/track` and of the endpoints that join, rename and
/// delete users, whose answers become verdicts.
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
            objectsPerRequest: settings.countsObjectsPerArray ? 75 * BrazeArray.ofTrack.count : 75,
            objectsPerArray: settings.countsObjectsPerArray ? 75 : nil, bytesPerRequest: 4_000_000,
            bytesPerObject: 100_000, requestsPerSecond: settings.requestsPerSecond,
            separateArrays: BrazeArray.separate)
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
            var options = try MappingOptions(call)
            options.isOfComputation =
                emission.origin != .source && call["context"]?["personas"]?["computation_key"]?.string != nil
            return try map(call, emission.kind, options)
        } catch {
            return .refused(reason: error.description)
        }
    }

    /// Calls of sources say which action their connection wants; those of audiences and traits are what they are.
    private func map(
        _ call: JSONValue, _ kind: Emission.Kind, _ options: MappingOptions
    ) throws(MappingError) -> Mapping {
        let action: BrazeAction
        switch (options.action, kind) {
        case (let wanted?, _): action = wanted
        case (nil, .identify): action = .updateProfile
        case (nil, .track):
            let isOrder = call["event"]?.string == "Order Completed" && call["properties"]?["products"] != nil
            action = isOrder ? .trackPurchase : .trackEvent
        case (nil, .delete):
            guard settings.deletesUsers else { return .nothing }
            action = .deleteUser
        case (nil, .group):
            throw MappingError(
                message: "Braze knows persons only: send an account audience or trait as identify or track")
        case (nil, _):
            throw MappingError(
                message: "Braze has no use for a call of this kind unless a preset says what to make of it")
        }
        let account = AccountMapping(settings: settings, options: options, call: call)
        switch action {
        case .updateProfile, .groupAttribute:
            return try UserProfileMapping(settings: settings, options: options).map(call)
        case .trackEvent: return try TrackEventMapping(settings: settings, options: options).map(call)
        case .trackPurchase: return try PurchaseMapping(settings: settings, options: options).map(call)
        case .ecommerce: return try EcommerceMapping(settings: settings, options: options).map(call)
        case .createAlias: return try account.createAlias()
        case .identifyUser: return try account.identifyUser()
        case .mergeUsers: return try account.mergeUsers()
        case .deleteUser: return try account.deleteUser()
        case .setSubscription: return try account.setSubscription()
        case .triggerCampaign, .triggerCanvas:
            return try TriggerMapping(settings: settings, options: options, call: call, array: action.triggerArray)
                .map()
        }
    }

    // MARK: Requests

    public func request(for objects: [OutgoingObject]) -> DestinationRequest {
        let first = objects.first.flatMap { BrazeArray(rawValue: $0.array) } ?? .attributes
        if first.isTrigger { return request(path: first.path, body: objects.first?.json ?? [], isBatch: false) }
        let arrays = first.isOfTrack ? BrazeArray.ofTrack : [first]
        var body: [UInt8] = []
        for array in arrays {
            let members = objects.filter { $0.array == array.rawValue }
            guard !members.isEmpty else { continue }
            body += Array((body.isEmpty ? "{" : ",").utf8)
            body += Array("\"\(array.member)\":[".utf8)
            for (index, member) in members.enumerated() {
                if index > 0 { body.append(UInt8(ascii: ",")) }
                body += member.json
            }
            body.append(UInt8(ascii: "]"))
        }
        if let behaviour = first.mergeBehavior { body += Array(",\"merge_behavior\":\"\(behaviour)\"".utf8) }
        body += Array((body.isEmpty ? "{}" : "}").utf8)
        return request(path: first.path, body: body, isBatch: first.isOfTrack && objects.count > 1)
    }

    /// The cheapest request that tells a good key from a bad one: Braze answers 400 when only the data is missing
    /// (braze §7.6).
    public var probe: DestinationRequest? {
        request(path: "/users/track", body: Array(#"{"attributes":[]}"#.utf8), isBatch: false)
    }

    private func request(path: String, body: [UInt8], isBatch: Bool) -> DestinationRequest {
        var headers = [
            DestinationRequest.Header("Authorization", "Bearer \(settings.apiKey)"),
            DestinationRequest.Header("User-Agent", "partner-Muster-Muster/\(Self.version)"),
        ]
        if isBatch { headers.append(DestinationRequest.Header("X-Braze-Batch", "true")) }
        return DestinationRequest(url: settings.endpoint + path, headers: headers, body: body)
    }
}

/// Why a call can't be sent to Braze.
struct MappingError: Error, Hashable, CustomStringConvertible {
    /// The field of the action, where one is at fault.
    var field: String?
    var message: String

    var description: String { field.map { "\($0): \(message)" } ?? message }
}
