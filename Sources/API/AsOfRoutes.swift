import Engine
import Evaluation
import JSON
import Model
import Store

// Members, membership, profiles and the reasons behind them, as of any instant; and what time will change (issue: why,
// time travel, next change). Past answers are what the engine said then; future ones are what it will say if nothing
// happens.

extension API {
    /// Profiles that are looked at while the engine is held up.
    private static let step: UInt32 = 1000

    // MARK: Audiences

    /// Who was in at an instant, in the order of the profiles.
    func membersAsOf(_ instant: Instant, _ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let definition = try existing(words, request.parameter("id")).definition
        let paging = try Paging(request.query)
        if let search = request.query["search"] {
            let found = engine.read { engine in
                API.find(search, in: definition.level.collection, engine, at: instant)
                    .compactMap { engine.value(of: definition.id, $0, at: instant) }
            }
            let members = found.filter(\.isHeld)
            return [
                "at": .time(instant), "members": .array(members.map(json)),
                "pagination": paging.json(next: nil, total: members.count),
            ]
        }
        var members: [AsOfView] = []
        var next = try paging.number().map { UInt32(clamping: $0) } ?? 0
        let end = engine.read { $0.ordinalLimit }
        while next < end, members.count <= paging.count {
            let range = next..<min(next + API.step, end)
            let limit = paging.count + 1 - members.count
            members += engine.read { $0.members(of: definition.id, at: instant, range: range, limit: limit) }
            next = range.upperBound
            await Task.yield()
            try Task.checkCancellation()
        }
        let page = members.prefix(paging.count)
        let following = members.count > page.count ? members.last.map { String($0.profile.ordinal.rawValue) } : nil
        return [
            "at": .time(instant), "members": .array(page.map(json)), "pagination": paging.json(next: following),
        ]
    }

    /// One profile's membership or value, whether it is in or not.
    func member(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let definition = try existing(words, request.parameter("id")).definition
        let instant = try request.query.instant("at")
        let at = instant ?? now()
        let (view, state) = try engine.read { engine in
            let profile = try profile(request, in: definition.level, at: at, engine)
            return (
                engine.value(of: definition.id, profile, at: at),
                instant == nil ? engine.member(of: definition.id, profile) : nil
            )
        }
        guard let view else { throw APIError.notFound("profile", id: request.parameter("profile")) }
        guard case .object(var object) = json(view) else { return .null }
        object["at"] = .time(at)
        object["member"] = .bool(view.isHeld)
        if let state {
            object["since"] = .time(state.since)
            object["nextChange"] = state.nextChange?.json ?? .null
        }
        return ["member": .object(object)]
    }

    /// Why a profile is in or not in, or has its value.
    func why(_ words: ComputationWords, _ request: APIRequest) throws -> JSONValue {
        let definition = try existing(words, request.parameter("id")).definition
        let at = try request.query.instant("at") ?? now()
        let (why, users) = try engine.read { engine in
            let profile = try profile(request, in: definition.level, at: at, engine)
            let why = engine.explain(definition.id, profile, at: at)
            let users = why.map { WhyPrinter.users(in: $0.explanation) } ?? []
            return (
                why, Dictionary(users.map { ($0, engine.summary(engine.canonical($0))) }, uniquingKeysWith: { $1 })
            )
        }
        guard let why else { throw APIError.notFound("profile", id: request.parameter("profile")) }
        let printer = WhyPrinter(users: users.mapValues { json($0) })
        let isHeld = why.answer.isHeld
        return [
            "why": [
                "at": .time(at), "profile": json(why.answer.profile), "value": why.answer.value,
                "member": .bool(isHeld), "definition": .string(definition.query),
                "qualifies": .bool(why.qualifies),
                "filterByExternalIds": .array(definition.options.filterByExternalIDs.map { .string($0) }),
                "nextChange": why.nextChange.json,
                "explanation": printer.json(why.explanation),
                "toChange": why.explanation.change(toHold: !isHeld).map { printer.json($0) } ?? .null,
                "reads": .array(
                    why.reads.map { ["id": .string($0.id), "key": .string($0.key), "name": .string($0.name)] }),
            ]
        ]
    }

    /// How many leave when, if nothing happens.
    func nextChanges(_ words: ComputationWords, _ request: APIRequest) async throws -> JSONValue {
        let definition = try existing(words, request.parameter("id")).definition
        let days = try request.query.integer("days", in: 1...366) ?? 30
        let count = try request.query.integer("buckets", in: 1...366) ?? 30
        let (end, from) = engine.read { ($0.ordinalLimit, $0.now) }
        let width = Int64(days) * 86_400_000 / Int64(count)
        var buckets = Array(repeating: 0, count: count)
        var (later, never, unknown) = (0, 0, 0)
        var next: UInt32 = 0
        while next < end {
            let range = next..<min(next + API.step, end)
            for change in engine.read({ $0.nextChanges(of: definition.id, range: range) }) {
                switch change {
                case .never: never += 1
                case .notBefore: unknown += 1
                case .at(let instant, _):
                    let index = max(0, (instant - from).milliseconds) / width
                    if index < count { buckets[Int(index)] += 1 } else { later += 1 }
                }
            }
            next = range.upperBound
            await Task.yield()
            try Task.checkCancellation()
        }
        return [
            "nextChanges": [
                "at": .time(from), "days": .number(days),
                "profiles": .number(buckets.reduce(later + never + unknown, +)),
                "buckets": .array(
                    buckets.enumerated().map { index, count in
                        [
                            "from": .time(from + Instant.Span(milliseconds: Int64(index) * width)),
                            "to": .time(from + Instant.Span(milliseconds: Int64(index + 1) * width)),
                            "count": .number(count),
                        ]
                    }),
                "later": .number(later), "never": .number(never), "unknown": .number(unknown),
            ]
        ]
    }

    /// The profile of the address as of an instant: by segment id, `type:value` or any id.
    private func profile(
        _ request: APIRequest, in level: Computation.Level, at instant: Instant, _ engine: borrowing Engine
    ) throws(APIError) -> ProfileOrdinal {
        let text = request.parameter("profile")
        guard let profile = API.find(text, in: level.collection, engine, at: instant).first else {
            guard let later = API.find(text, in: level.collection, engine).first else {
                throw APIError.notFound("profile", id: text)
            }
            throw API.notKnownYet(text, at: instant, since: engine.summary(later).createdAt)
        }
        return profile
    }

    private static func notKnownYet(_ text: String, at instant: Instant, since: Instant) -> APIError {
        APIError(
            .notFound, field: "at",
            "'\(text.prefixText)' was not known yet at \(instant): nothing about it had been received before \(since).")
    }

    private func json(_ view: AsOfView) -> JSONValue {
        guard case .object(var object) = json(view.profile) else { return .null }
        object["profileId"] = .string(view.profile.segmentID)
        object["value"] = view.value
        object["mayChangeAt"] = .time(view.changesAt)
        return .object(object)
    }

    // MARK: Profiles

    /// Traits, values and audiences of a profile as they were.
    func profileAsOf(_ instant: Instant, _ request: APIRequest) throws -> JSONValue {
        let id = request.parameter("id")
        let (found, summary, sources, knownSince) = engine.read { engine in
            let profile = engine.profile(segmentID: id, at: instant)
            return (
                profile.flatMap { engine.profile($0, at: instant) }, profile.map { engine.summary($0) }, engine.sources,
                engine.profile(segmentID: id).map { engine.summary($0).createdAt }
            )
        }
        guard let knownSince else { throw APIError.notFound("profile", id: id) }
        guard let found, let summary else { throw API.notKnownYet(id, at: instant, since: knownSince) }
        guard case .object(var object) = json(summary) else { return .null }
        object["at"] = .time(instant)
        object["traits"] = .array(
            found.traits.map { trait in
                [
                    "key": .string(trait.key), "value": trait.value, "updatedAt": .time(trait.at),
                    "sourceId": .string(trait.sourceID),
                    "sourceName": .string(sources[trait.sourceID]?.name ?? trait.sourceID),
                ]
            })
        object["computedTraits"] = .array(
            found.computed.filter { $0.computation.kind == .trait && !$0.value.isNull }.map { computed in
                [
                    "id": .string(computed.computation.id), "key": .string(computed.computation.key),
                    "name": .string(computed.computation.name), "value": computed.value,
                ]
            })
        object["audiences"] = .array(
            found.computed.filter { $0.computation.kind == .audience && !$0.value.isNull }.map { computed in
                [
                    "id": .string(computed.computation.id), "key": .string(computed.computation.key),
                    "name": .string(computed.computation.name), "member": .bool(computed.isHeld),
                ]
            })
        object["mergedIds"] = .array(
            try found.ordinals.filter { $0 != summary.ordinal }
                .compactMap { try engine.store.profile($0) }.map { .string($0.segmentID) })
        return .object(object)
    }
}

extension Computation.Level {
    var collection: Identifier.Collection { self == .users ? .users : .accounts }
}
