import Delivery
import Engine
import Evaluation
import Hummingbird
import JSON
import Model
import Query
import Store

// What connecting an audience or trait would cost, before anything is sent (issue: estimate before activation).

extension API {
    func addEstimateRoutes(to routes: RouteTable<some RequestContext>) {
        routes.post("/destinations/:id/estimate") { try estimate($0) }
    }

    /// Profiles that are looked at; of more, as many are picked evenly.
    private static let profilesLookedAt: UInt32 = 20_000
    /// Members whose calls are made and priced.
    private static let membersPriced = 500
    /// Profiles that are looked at while the engine is held up.
    private static let estimateStep = 500
    /// Days whose changes are counted.
    private static let daysLookedBack = 7

    private func estimate(_ request: APIRequest) throws -> JSONValue {
        let destination = try destination(request)
        var fields = request.fields
        let definition = try definition(&fields)
        let before = definition.connections.first { $0.destinationID == destination.id }
        var connection = before ?? Connection(destinationID: destination.id)
        if let settings = try fields.object("connectionSettings") {
            connection = try ConnectionBody(settings: settings).apply(to: connection)
        }
        try fields.finish()
        let adapter: any DestinationAdapter
        do {
            adapter = try delivery.mapper(destination)
        } catch {
            throw APIError(error, configuration.destinationKinds.first { $0.kind == destination.kind })
        }
        let (sample, limit) = try sample(definition, connection, destination)
        let announcement = connection.announcement(after: before)
        return ["estimate": try json(sample, of: limit, definition, announcement, destination, adapter)]
    }

    /// The computation that is meant: one that exists, or one that is only thought about.
    private func definition(_ fields: inout Fields) throws -> Computation {
        if let id = try fields.string("computationId") {
            guard let view = engine.read({ $0.computation(id: id) }) else {
                throw APIError(
                    .validation, field: "computationId", "There is no audience or trait '\(id.prefixText)'.")
            }
            return view.definition
        }
        let type = try fields.string("type") ?? "AUDIENCE"
        guard let kind = ["AUDIENCE": Computation.Kind.audience, "COMPUTED_TRAIT": .trait][type] else {
            throw APIError(.validation, field: "type", "'type' must be AUDIENCE or COMPUTED_TRAIT.")
        }
        let query = try fields.required(try fields.string("query", maximumLength: 20_000), "query")
        let level = try fields.choice("audienceType", of: Computation.Level.self) ?? .users
        let key = try fields.string("key") ?? "new"
        var options = Computation.Options()
        if var given = try fields.object("options") {
            options.includeHistoricalData = try given.bool("includeHistoricalData") ?? true
            options.filterByExternalIDs = try given.strings("filterByExternalIds") ?? options.filterByExternalIDs
            try given.finish()
        }
        do {
            let text = try Definition.compile(query, kind: kind, level: level).text
            return Computation(
                id: "estimate", kind: kind, level: level, key: key, name: key, query: text, options: options,
                createdAt: now())
        } catch {
            throw error.apiErrors(field: "query")
        }
    }

    /// Looks at profiles in steps, so that the engine is never held up for long.
    private func sample(
        _ definition: Computation, _ connection: Connection, _ destination: Destination
    ) throws -> (SyncSample, limit: UInt32) {
        let parsed = try Definition.parse(definition.query, kind: definition.kind)
        let (limit, now) = engine.read { ($0.ordinalLimit, $0.now) }
        let instants = (0...Self.daysLookedBack).map { now - .days(Int64($0)) }
        let stride = max(1, limit / Self.profilesLookedAt)
        let numbers = Array(Swift.stride(from: UInt32(0), to: limit, by: Int(stride)))
        var sample = SyncSample()
        for start in Swift.stride(from: 0, to: numbers.count, by: Self.estimateStep) {
            let step = Array(numbers[start..<min(start + Self.estimateStep, numbers.count)])
            let before = sample
            sample = engine.read { engine in
                var sample = before
                engine.sample(
                    CompiledQuery(parsed), definition, profiles: step, at: instants, connection: connection,
                    destination: destination, emissionLimit: Self.membersPriced, into: &sample)
                return sample
            }
        }
        return (sample, limit)
    }

    private func json(
        _ sample: SyncSample, of limit: UInt32, _ definition: Computation, _ announcement: Announcement,
        _ destination: Destination, _ adapter: any DestinationAdapter
    ) throws -> JSONValue {
        let stride = max(1, limit / Self.profilesLookedAt)
        let price = try price(sample, announcement, destination, adapter)
        let scale = Double(stride)
        // The size of an audience that exists is known; a new one's is scaled up from those looked at.
        let existing = engine.read { $0.computation(id: definition.id)?.size }
        let members = existing ?? Int((Double(sample.members) * scale).rounded())
        let people = announcement.isEmpty ? 0 : members
        let share = sample.sampled == 0 ? 0 : Double(members) / Double(sample.sampled)
        let points = Int((Double(price.firstSync) * share).rounded())
        let objects = Double(price.objects) * share
        let changes = sample.changes.isEmpty ? 0 : Double(sample.changes.reduce(0, +)) / Double(sample.changes.count)
        let changesPerDay = Int((changes * scale).rounded(.up))
        let perChange = sample.sampled == 0 ? 1 : Double(price.change) / Double(sample.sampled)
        let pointsPerDay = Int((changes * scale * perChange).rounded(.up))
        let requests = Int((objects / Double(adapter.limits.objectsPerRequest)).rounded(.up))
        let seconds = Int((Double(requests) / adapter.limits.requestsPerSecond).rounded(.up))
        let unreachable = announcement.isEmpty ? 0 : Int((Double(sample.unreachable) * share).rounded())
        var text =
            announcement.isEmpty
            ? "Nothing is sent at once, only changes; "
            : "\(announcement.isResync ? "Sent again under the new settings" : "First sync"): "
                + "\(people.words("person", "people")), \(points.words("data point")); "
        text += "about \(pointsPerDay.words("data point")) a day, judging by the last \(Self.daysLookedBack) days."
        if unreachable > 0 {
            text += " \(unreachable.words("person", "people")) can’t be reached: they have no id to send."
        }
        if price.refused > 0, let reason = price.reason {
            text += " About \(Int((Double(price.refused) * share).rounded()).words("call")) will be refused: \(reason)"
        }
        return [
            "people": .number(people), "isResync": .bool(announcement.isResync),
            "isUpdate": .bool(definition.connections.contains { $0.destinationID == destination.id }),
            "dataPoints": .number(points), "requests": .number(requests),
            "seconds": .number(seconds), "changesPerDay": .number(changesPerDay),
            "dataPointsPerDay": .number(pointsPerDay), "unreachable": .number(unreachable),
            "refused": .number(Int((Double(price.refused) * share).rounded())),
            "refusal": .string(orNull: price.reason), "text": .string(text),
            "basedOn": [
                "profiles": .number(sample.looked), "isExact": .bool(stride == 1 && sample.sampled == sample.members),
                "days": .number(Self.daysLookedBack),
            ],
        ]
    }

    private struct Price {
        /// For the calls of the sample: what of it the destination does not hold yet.
        var firstSync = 0
        var objects = 0
        /// For one change of each member of the sample.
        var change = 0
        var refused = 0
        var reason: String?
    }

    /// What the calls of a sample cost. Values that the destination has acknowledged are not sent, so they are free.
    private func price(
        _ sample: SyncSample, _ announcement: Announcement, _ destination: Destination,
        _ adapter: any DestinationAdapter
    ) throws -> Price {
        var price = Price()
        var values: [LedgerKey: JSONValue] = [:]
        var own: [LedgerKey: JSONValue] = [:]
        for emission in sample.emissions {
            let isTold = announcement.connection.sends(emission.kind)
            switch adapter.map(emission) {
            case .nothing: break
            case .refused(let reason):
                guard isTold else { continue }
                price.refused += 1
                price.reason = price.reason ?? reason
            case .occurrence(_, let occurrence):
                let cost = occurrence.objects.reduce(0) { $0 + adapter.pricing.occurrence($1) }
                price.change += cost
                guard isTold else { continue }
                price.firstSync += cost
                price.objects += occurrence.objects.count
            case .update(let person, let update):
                for (name, value) in update.values.members {
                    let key = LedgerKey(externalID: person, attribute: name)
                    if isTold { values[key] = value }
                    if name != "email" { own[key] = value }
                }
            }
        }
        for (key, value) in own { price.change += adapter.pricing.value(key.attribute, value) }
        let held = try engine.store.acknowledgedValues(destinationID: destination.id, values.keys)
        let missing = values.filter { announcement.forgets || held[$0.key]?[0] != $0.value }
        for (key, value) in missing { price.firstSync += adapter.pricing.value(key.attribute, value) }
        price.objects += Set(missing.keys.map(\.externalID)).count
        return price
    }
}

extension Connection {
    fileprivate func sends(_ kind: Emission.Kind) -> Bool {
        switch kind {
        case .identify: sendIdentify
        case .track: sendTrack
        default: sendGroup
        }
    }
}

extension Int {
    /// `1 person`, `1,203 people`.
    func words(_ one: String, _ many: String? = nil) -> String {
        var digits = String(self)
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
            place -= 3
        }
        return "\(digits) \(self == 1 ? one : many ?? one + "s")"
    }
}
