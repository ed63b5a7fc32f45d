import JSON
import Model
import Store

// What answers do to a destination's queue (braze §7.4).

/// How a request ended.
enum RequestResult: Sendable {
    case answered(Verdict, RateAdvice)
    case failed(TransportFailure)
}

extension DeliveryQueue {
    /// What is to become of one emission of a request.
    private enum ItemFate {
        case delivered(detail: String)
        case parked(String)
        /// Back to the person's queue, as it is now.
        case again(QueueItem, Settlement.Fate, String)
    }

    /// Settles a request. Returns what to record of it.
    mutating func finish(
        _ id: Int, _ result: RequestResult, now: Instant
    ) -> (outcome: AttemptRow.Outcome, settlement: Settlement) {
        guard let request = inFlight.removeValue(forKey: id) else {
            preconditionFailure("request \(id) is not under way")
        }
        var settlement = Settlement()
        let address = request.objects.first.flatMap { limits.ownAddress(of: $0.outgoing.array) }
        if case .answered(_, let advice) = result, let notBefore = advice.notBefore {
            self[throttlesAt: address].wait(until: notBefore)
        }
        switch result {
        case .answered(.taken(let rejected, let unplaced), _):
            succeed(at: address, now: now)
            let fates = takenFates(request, rejected, unplaced, &settlement)
            apply(fates, of: request, notBefore: nil, now: now, to: &settlement)
            let isRejected = settlement.entries.allSatisfy { $0.fate == .parked }
            return (rejected.isEmpty ? .delivered : isRejected ? .rejected : .partial, settlement)

        case .answered(.rejected(let named, let message), _):
            if named.keys.contains(where: request.objects.indices.contains) {
                apply(rejectedFates(request, named, message), of: request, notBefore: nil, now: now, to: &settlement)
            } else {
                apply(refusedFates(request, message), of: request, notBefore: nil, now: now, to: &settlement)
            }

        case .answered(.refused(let message), _), .answered(.tooLarge(let message), _):
            apply(refusedFates(request, message), of: request, notBefore: nil, now: now, to: &settlement)

        case .answered(.notTaken(let message), _):
            fail(request, message, now: now)
            let fates = request.items.map { item in
                var item = item
                item.emptyAnswers += 1
                if item.emptyAnswers > configuration.emptyAnswerRetries { return ItemFate.parked(message) }
                return .again(item, .retrying, message)
            }
            let wait = backoff.delay(failures: request.items.map(\.emptyAnswers).max() ?? 0, using: &random)
            apply(fates, of: request, notBefore: now + wait, now: now, to: &settlement)

        case .answered(.throttled(let message), let advice):
            // Advice that is past already, as from a clock that differs from ours, is none.
            let advised = advice.notBefore.flatMap { $0 > now ? $0 : nil }
            var throttles = self[throttlesAt: address]
            throttles.fail(
                request: id, nextID: nextID, reason: message, notBefore: advised, now: now, backoff: backoff,
                using: &random)
            self[throttlesAt: address] = throttles
            putBack(request, message, notBefore: address == nil ? nil : throttles.until, now: now, to: &settlement)

        case .answered(.unavailable(let message), _):
            fail(request, message, now: now)
            forgetValues(of: request, &settlement)
            retry(request, .retrying, message, mayHaveArrived: true, now: now, to: &settlement)

        case .answered(.misconfigured(let reason), _):
            stop(reason: reason, now: now)
            putBack(request, reason, notBefore: nil, now: now, to: &settlement)

        case .failed(.unknownHost(let host)):
            let reason =
                "The host \(host) can't be found. Check the address of the destination and this machine's "
                + "connection to the internet"
            stop(reason: reason, now: now)
            putBack(request, reason, notBefore: nil, now: now, to: &settlement)

        case .failed(let failure):
            fail(request, failure.description, now: now)
            guard failure.mayHaveTakenEffect else {
                retry(request, .retrying, failure.description, mayHaveArrived: false, now: now, to: &settlement)
                break
            }
            forgetValues(of: request, &settlement)
            unknownOutcomes += 1
            settlement.unknownOutcomes += 1
            retry(request, .unknown, failure.description, mayHaveArrived: true, now: now, to: &settlement)
            return (.unknown, settlement)
        }
        return (settlement.entries.contains { $0.fate == .parked } ? .rejected : .retrying, settlement)
    }

    // MARK: Verdicts

    /// The waits of an address: that of one array, or the main one.
    private subscript(throttlesAt address: String?) -> FailureStreak {
        get { address.map { separateThrottles[$0] ?? FailureStreak() } ?? throttles }
        set { if let address { separateThrottles[address] = newValue } else { throttles = newValue } }
    }

    private mutating func succeed(at address: String?, now: Instant) {
        failures.reset()
        if let address { separateThrottles[address]?.end() } else { throttles.end() }
        isCautious = false
        lastDeliveredAt = now
    }

    private mutating func fail(_ request: PlannedRequest, _ reason: String, now: Instant) {
        failures.fail(
            request: request.id, nextID: nextID, reason: reason, now: now, backoff: backoff, using: &random)
    }

    /// The objects were taken, save those named.
    private mutating func takenFates(
        _ request: PlannedRequest, _ rejected: [Int: String], _ unplaced: [String], _ settlement: inout Settlement
    ) -> [ItemFate] {
        var fates = request.items.map { ItemFate.delivered(detail: detail(of: $0)) }
        for index in request.objects.indices where rejected[index] == nil {
            note(
                request.objects[index], of: request, isCertain: unplaced.isEmpty, isLast: rejected.isEmpty, &fates,
                &settlement)
            bill(request.objects[index], of: request, &settlement)
        }
        if !unplaced.isEmpty {
            for index in fates.indices {
                let said = "The destination also reported, without saying of what: " + unplaced.joined(separator: "; ")
                let also = detail(of: request.items[index])
                fates[index] = .delivered(detail: also.isEmpty ? said : "\(said). \(also)")
            }
        }
        reject(rejected, of: request, &fates)
        return fates
    }

    /// Notes in the ledger what the destination now holds. If nothing of the request comes back (`isLast`), a person with
    /// nothing else waiting is forgotten, and so need not be told.
    private mutating func note(
        _ object: PlannedObject, of request: PlannedRequest, isCertain: Bool, isLast: Bool, _ fates: inout [ItemFate],
        _ settlement: inout Settlement
    ) {
        let place =
            object.values.isEmpty
            ? nil : persons.index(forKey: object.person).flatMap { isLast && persons.values[$0].isEmpty ? nil : $0 }
        for (name, value) in object.values.members {
            let known = Known(value: isCertain ? value : nil, sequence: object.sequence(of: name))
            if let place { persons.values[place].known[name] = known }
            settlement.note(object.person, name, isCertain ? known : nil)
            if let warning = types.note(name, value) {
                for item in object.items {
                    let also = request.items[item].note.map { ". \($0)" } ?? ""
                    fates[item] = .delivered(detail: warning + also)
                }
            }
        }
        for name in object.touchedNames {
            for person in [object.person] + object.touchedOthers { forget(name, of: person, sequence: 0, &settlement) }
        }
        let item = request.items[object.firstItem]
        for joined in item.joins where joined != object.person {
            let sequence = item.emission.sequence
            settlement.note(
                RunnerMark.successor(of: joined), Known(value: .string(object.person), sequence: sequence))
            settlement.hasJoined = true
            // What was redriven meanwhile is read again, as said of the successor.
            for emission in persons[joined]?.remove(where: { $0.sequence < sequence }) ?? [] {
                held.remove(emission.sequence)
                settlement.mustReread = true
            }
            refreshEstimate(of: joined)
        }
    }

    /// Notes what the destination bills for an object that it took.
    private func bill(_ object: PlannedObject, of request: PlannedRequest, _ settlement: inout Settlement) {
        let first = request.items[object.firstItem]
        if first.isOccurrence {
            settlement.dataPoints[first.emission.computationID, default: 0] += pricing.occurrence(object.outgoing)
            return
        }
        guard object.isShared else {
            let points = object.values.members.reduce(0) { $0 + pricing.value($1.key, $1.value) }
            settlement.dataPoints[first.emission.computationID, default: 0] += points
            return
        }
        var computations: [Int64: String] = [:]
        for place in object.items {
            let emission = request.items[place].emission
            computations[emission.sequence] = emission.computationID
        }
        for (name, value) in object.values.members {
            let computation = computations[object.sequence(of: name)] ?? first.emission.computationID
            settlement.dataPoints[computation, default: 0] += pricing.value(name, value)
        }
    }

    /// What there is to say of something delivered: what was left out, and whether it may have arrived before.
    private func detail(of item: QueueItem) -> String {
        let others = (uncertain[item.emission.sequence] ?? 1) - 1
        guard item.isOccurrence, others > 0 else { return item.note ?? "" }
        return "An earlier request with this event ended without an answer: it may have taken effect "
            + (others == 1 ? "twice" : "\(others + 1) times") + (item.note.map { ". \($0)" } ?? "")
    }

    /// Emissions whose objects are named are parked with the destination's words; where several shared one object, each
    /// gets another try in an object of its own.
    private func reject(_ rejected: [Int: String], of request: PlannedRequest, _ fates: inout [ItemFate]) {
        for (index, words) in rejected.sorted(by: { $0.key < $1.key }) {
            guard request.objects.indices.contains(index) else { continue }
            let sharing = request.objects[index].items
            for place in sharing {
                // Of several errors for one emission the first is kept (braze-destination §14.2).
                if case .parked = fates[place] { continue }
                if sharing.count == 1 {
                    fates[place] = .parked(words)
                } else {
                    var item = request.items[place]
                    item.isAlone = true
                    fates[place] = .again(item, .retrying, "Rejected with others, is sent again alone: \(words)")
                }
            }
        }
    }

    /// Nothing was taken; the objects named never will be, the others get another try without them.
    private func rejectedFates(_ request: PlannedRequest, _ named: [Int: String], _ message: String) -> [ItemFate] {
        var fates = request.items.map { item in
            var item = item
            // A second answer of this kind: look for the cause in smaller requests.
            if item.isResubmitted { item.objectLimit = max(1, request.objects.count / 2) }
            item.isResubmitted = true
            return ItemFate.again(item, .retrying, "Rejected with others, is sent again without them: \(message)")
        }
        reject(named, of: request, &fates)
        return fates
    }

    /// Refused as a whole: halve until the cause stands alone.
    private func refusedFates(_ request: PlannedRequest, _ message: String) -> [ItemFate] {
        request.items.map { item in
            if request.items.count == 1 { return ItemFate.parked(message) }
            var item = item
            if request.objects.count == 1 { item.isAlone = true }
            item.objectLimit = max(1, request.objects.count / 2)
            return .again(item, .retrying, "Refused with others, is sent again with fewer: \(message)")
        }
    }

    private mutating func putBack(
        _ request: PlannedRequest, _ detail: String, notBefore: Instant?, now: Instant,
        to settlement: inout Settlement
    ) {
        let fates = request.items.map { ItemFate.again($0, .retrying, detail) }
        apply(fates, of: request, notBefore: notBefore, now: now, to: &settlement)
    }

    private mutating func retry(
        _ request: PlannedRequest, _ fate: Settlement.Fate, _ detail: String, mayHaveArrived: Bool, now: Instant,
        to settlement: inout Settlement
    ) {
        let fates = request.items.map { item in
            var item = item
            item.failures += 1
            return ItemFate.again(item, fate, detail)
        }
        let failures = request.items.map { $0.failures + 1 }.max() ?? 1
        let wait = backoff.delay(failures: failures, using: &random)
        apply(
            fates, of: request, mayHaveArrived: mayHaveArrived, notBefore: now + wait, now: now, to: &settlement)
    }

    /// Values of a request that may have taken effect are no longer known, in the ledger neither: what follows may be
    /// parked or held, and be read again when nobody remembers this request.
    private mutating func forgetValues(of request: PlannedRequest, _ settlement: inout Settlement) {
        for object in request.objects {
            for name in Set(object.values.keys).union(object.touchedNames) {
                let sequence = persons[object.person]?.known[name]?.sequence ?? 0
                forget(name, of: object.person, sequence: sequence, &settlement)
            }
            for name in object.touchedNames {
                for person in object.touchedOthers { forget(name, of: person, sequence: 0, &settlement) }
            }
        }
    }

    private mutating func forget(_ name: String, of person: String, sequence: Int64, _ settlement: inout Settlement) {
        persons[person]?.known[name] = Known(value: nil, sequence: sequence)
        settlement.note(person, name, nil)
    }

    // MARK: Settling

    private mutating func apply(
        _ fates: [ItemFate], of request: PlannedRequest, mayHaveArrived: Bool = false, notBefore: Instant?,
        now: Instant, to settlement: inout Settlement
    ) {
        settlement.entries.reserveCapacity(settlement.entries.count + fates.count)
        for (place, fate) in fates.enumerated() {
            let emission = request.items[place].emission
            switch fate {
            case .delivered(let detail):
                held.remove(emission.sequence)
                settlement.possibleDuplicates += max(0, takeArrivals(of: emission.sequence) - 1)
                settlement.add(emission, .delivered, detail)
            case .parked(let reason):
                held.remove(emission.sequence)
                if !mayHaveArrived { forgetArrival(of: emission.sequence) }
                settlement.add(emission, .parked, reason)
            case .again(let changed, let fate, let detail):
                settlement.add(emission, fate, detail)
                if !mayHaveArrived { forgetArrival(of: emission.sequence) }
                if request.deletedProfiles.contains(emission.profile) {
                    held.remove(emission.sequence)
                    continue
                }
                for (emission, by) in persons[request.person(of: place)]?.insert(changed) ?? [] {
                    held.remove(emission.sequence)
                    settlement.add(emission, .superseded(by: by))
                }
            }
        }
        // Each once, in the order of the request: replays must go the same way.
        var persons: [String] = []
        persons.reserveCapacity(request.objects.count)
        for index in request.objects.indices where persons.last != request.objects[index].person {
            persons.append(request.objects[index].person)
        }
        if let notBefore {
            delay(persons, until: notBefore)
        } else {
            for person in persons { free(person, now: now) }
        }
    }
}
