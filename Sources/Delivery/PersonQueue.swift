import DequeModule
import JSON
import Model

/// What waits for one person at one destination, in the order of the outbox.
///
/// At any time each value name occurs in at most one waiting update of the same identity: a newer one has taken it
/// over. Emissions whose names were all taken over are superseded. Occurrences are never touched.
struct PersonQueue: Sendable {
    private(set) var updates: Deque<QueueItem> = []
    private(set) var occurrences: Deque<QueueItem> = []
    private(set) var occurrenceObjects = 0

    /// What the destination is known to hold. Kept while anything about the person waits or is under way.
    var known: [String: Known] = [:]
    var place = Place.nowhere
    /// Objects that the destination's queue counts as ready for it.
    var countedObjects = 0

    enum Place: Sendable { case nowhere, ready, delayed, inFlight, blocked }

    var isEmpty: Bool { updates.isEmpty && occurrences.isEmpty }
    var count: Int { updates.count + occurrences.count }
    /// About how many objects a request with everything would hold.
    var objectEstimate: Int { occurrenceObjects + (updates.isEmpty ? 0 : 1) }

    /// What the destination's queue must know of an emission that came to a person.
    struct Arrival {
        var superseded: [(emission: EmissionReference, by: Int64)] = []
        /// The person was nowhere and is ready now.
        var isNewlyReady = false
        /// By so many the ready objects have become more.
        var readyObjects = 0
    }

    /// Adds an emission at its place; who was nowhere is ready then.
    mutating func arrive(_ item: QueueItem) -> Arrival {
        var arrival = Arrival(superseded: insert(item))
        if place == .nowhere {
            place = .ready
            arrival.isNewlyReady = true
        }
        arrival.readyObjects = recountReady()
        return arrival
    }

    /// Counts the objects anew if the person is ready. By so many they have become more since the last time.
    mutating func recountReady() -> Int {
        guard place == .ready else { return 0 }
        defer { countedObjects = objectEstimate }
        return objectEstimate - countedObjects
    }

    /// Adds an emission at its place and returns those that are now superseded, each with the sequence that took over.
    mutating func insert(_ item: QueueItem) -> [(emission: EmissionReference, by: Int64)] {
        switch item.content {
        case .occurrence(let occurrence):
            occurrenceObjects += occurrence.objects.count
            occurrences.insert(item, at: Self.place(of: item, in: occurrences))
            return []
        case .update(let update):
            guard !updates.isEmpty else {
                updates.append(item)
                return []
            }
            let place = Self.place(of: item, in: updates)
            updates.insert(item, at: place)
            return coalesce(around: place, identity: update.identity, array: update.array)
        }
    }

    /// Lets newer updates take names from the one at `place`, and it from older ones.
    private mutating func coalesce(
        around place: Int, identity: JSONObject, array: String
    ) -> [(emission: EmissionReference, by: Int64)] {
        let peers = updates.indices.filter { index in
            guard case .update(let peer) = updates[index].content else { return false }
            return index != place && peer.identity == identity && peer.array == array
        }
        for newer in peers where newer > place {
            take(from: place, namesOf: newer)
            if isSpent(place) {
                return [(updates.remove(at: place).emission, by: updates[newer - 1].emission.sequence)]
            }
        }
        var superseded: [(emission: EmissionReference, by: Int64)] = []
        var current = place
        for older in peers.reversed() where older < place {
            take(from: older, namesOf: current)
            guard isSpent(older) else { continue }
            superseded.append((updates.remove(at: older).emission, by: updates[current - 1].emission.sequence))
            current -= 1
        }
        return superseded
    }

    /// Removes from one update the names that another sets.
    private mutating func take(from index: Int, namesOf other: Int) {
        guard case .update(let update) = updates[index].content, case .update(let winner) = updates[other].content
        else { return }
        let left = update.values.members.filter { winner.values[$0.key] == nil }
        if left.count < update.values.count { updates[index].content = .update(update.with(JSONObject(left))) }
    }

    private func isSpent(_ index: Int) -> Bool {
        guard case .update(let update) = updates[index].content else { return false }
        return update.values.isEmpty
    }

    /// Takes emissions out.
    mutating func remove(where isUnwanted: (EmissionReference) -> Bool) -> [EmissionReference] {
        let removed = (updates + occurrences).map(\.emission).filter(isUnwanted)
        guard !removed.isEmpty else { return [] }
        updates.removeAll { isUnwanted($0.emission) }
        occurrences.removeAll { isUnwanted($0.emission) }
        occurrenceObjects = occurrences.reduce(0) { sum, item in
            if case .occurrence(let occurrence) = item.content { sum + occurrence.objects.count } else { sum }
        }
        return removed
    }

    private static func place(of item: QueueItem, in items: Deque<QueueItem>) -> Int {
        var place = items.count
        while place > 0, items[place - 1].emission.sequence > item.emission.sequence { place -= 1 }
        return place
    }
}

extension PersonQueue {
    /// What `take` found out besides what it put into the request.
    struct Unneeded {
        /// Emissions that need no request, because the destination holds their values already or newer ones.
        var emissions: [(emission: EmissionReference, fate: Settlement.Fate)] = []
        /// Values that newer emissions confirmed without being sent. They belong into the ledger: an older emission,
        /// read again after a crash, must not bring back what it said.
        var confirmed: [String: Known] = [:]
    }

    /// The sequence of the first that waits.
    var first: Int64? { next?.emission.sequence }

    /// The first that waits.
    var next: QueueItem? {
        guard let update = updates.first else { return occurrences.first }
        guard let occurrence = occurrences.first else { return update }
        return update.emission.sequence < occurrence.emission.sequence ? update : occurrence
    }

    /// Whether the first that waits must wait for others.
    func isBlocked(_ mustWait: (QueueItem) -> Bool) -> Bool { next.map(mustWait) == true }

    /// Moves the first emissions into a request, as many as fit, up to one that must wait. Emissions of one transition
    /// stay together unless a whole request is too small for them.
    mutating func take(
        person: String, into request: inout RequestBuilder, until mustWait: ((QueueItem) -> Bool)? = nil
    ) -> Unneeded {
        var unneeded = Unneeded()
        var taken = Taken()
        // Mostly one update waits: it needs no group.
        if mustWait == nil, occurrences.isEmpty, updates.count == 1, case .update(let update) = updates[0].content {
            let item = updates[0]
            let changed = changedValues(of: update, item.emission.sequence, taken)
            if changed.isEmpty || request.add(update, changed: changed, item, of: person) {
                updates.removeFirst()
                note(item, update, changed, in: &unneeded)
            }
            return unneeded
        }
        while var group = nextGroup() {
            if let mustWait, let place = group.firstIndex(where: mustWait) {
                // What comes before it must not wait with it: two persons could then wait for each other.
                guard place > 0 else { break }
                group.removeLast(group.count - place)
            }
            // What can't travel together whatever the request holds need not wait for one of its own.
            if group.count > 1, let other = group.firstIndex(where: { !request.canShare(group[0].array, $0.array) }) {
                group.removeLast(group.count - other)
            }
            let (checkpoint, before) = (request.checkpoint, taken)
            if !group.allSatisfy({ add($0, of: person, to: &request, &taken) }) {
                request.rollBack(to: checkpoint)
                taken = before
                guard request.isEmpty, group.count > 1, add(group[0], of: person, to: &request, &taken) else { break }
                group.removeLast(group.count - 1)
            }
            removeFirst(group)
            for item in group {
                guard case .update(let update) = item.content else { continue }
                note(item, update, taken.changed[item.emission.sequence] ?? [:], in: &unneeded)
            }
        }
        return unneeded
    }

    /// What has found a place in the request that is being filled.
    private struct Taken {
        /// The values that each update sends, by sequence.
        var changed: [Int64: JSONObject] = [:]
        /// Their latest by name: an update of another identity must not be compared with what was held before them.
        var values: [String: JSONValue] = [:]
    }

    /// The first waiting emission and those right behind it that belong to the same transition.
    private func nextGroup() -> [QueueItem]? {
        var group: [QueueItem] = []
        var (nextUpdate, nextOccurrence) = (0, 0)
        while nextUpdate < updates.count || nextOccurrence < occurrences.count {
            let item: QueueItem
            if nextOccurrence == occurrences.count
                || nextUpdate < updates.count
                    && updates[nextUpdate].emission.sequence < occurrences[nextOccurrence].emission.sequence
            {
                item = updates[nextUpdate]
                nextUpdate += 1
            } else {
                item = occurrences[nextOccurrence]
                nextOccurrence += 1
            }
            if let first = group.first, !first.emission.isSameTransition(as: item.emission) { break }
            group.append(item)
        }
        return group.isEmpty ? nil : group
    }

    private mutating func removeFirst(_ items: [QueueItem]) {
        for item in items {
            switch item.content {
            case .update: updates.removeFirst()
            case .occurrence(let occurrence):
                occurrences.removeFirst()
                occurrenceObjects -= occurrence.objects.count
            }
        }
    }

    /// Whether the emission found its place in the request or needs none.
    private func add(
        _ item: QueueItem, of person: String, to request: inout RequestBuilder, _ taken: inout Taken
    ) -> Bool {
        switch item.content {
        case .occurrence(let occurrence): return request.add(occurrence, item, of: person)
        case .update(let update):
            let changed = changedValues(of: update, item.emission.sequence, taken)
            guard changed.isEmpty || request.add(update, changed: changed, item, of: person) else { return false }
            taken.changed[item.emission.sequence] = changed
            for (name, value) in changed.members { taken.values[name] = value }
            return true
        }
    }

    /// Notes what of an update was not sent.
    private mutating func note(
        _ item: QueueItem, _ update: AttributeUpdate, _ changed: JSONObject, in unneeded: inout Unneeded
    ) {
        let sequence = item.emission.sequence
        if changed.isEmpty {
            let newer = update.values.members.compactMap { known[$0.key]?.sequence }.max() ?? 0
            unneeded.emissions.append((item.emission, newer > sequence ? .superseded(by: newer) : .unchanged))
        }
        guard changed.count < update.values.count, !known.isEmpty else { return }
        for (name, _) in update.values.members where changed[name] == nil {
            guard let known = known[name], known.sequence < sequence else { continue }
            self.known[name]?.sequence = sequence
            unneeded.confirmed[name] = self.known[name]
        }
    }

    /// The values to send: those that the destination is not known to hold, and pinned ones. What a later emission has
    /// set stays as it is.
    private func changedValues(of update: AttributeUpdate, _ sequence: Int64, _ taken: Taken) -> JSONObject {
        guard !(known.isEmpty && taken.values.isEmpty) else { return update.values }
        return JSONObject(
            update.values.members.filter { name, value in
                if let before = taken.values[name], before != value { return true }
                guard let known = known[name] else { return true }
                return known.sequence <= sequence && (known.value != value || update.pinned.contains(name))
            })
    }
}
