import DequeModule
import JSON
import Model
import Store

/// Everything that waits for one destination or is under way to it: a state machine without I/O.
///
/// Time, chance, mapped emissions and answers come in; requests to make and settlements to record go out. It holds a
/// window of the outbox. Its rules:
///
/// 1. A person is in one of four places: *ready* (something waits), *in flight* (one request holds their first
///    emissions), *delayed* (a request failed), *blocked* (their first emission makes another person part of them, of
///    whom something earlier is not through yet). New emissions join the person's queue wherever it is.
/// 2. A request is due when the ready persons fill one, or when the first has waited long enough.
/// 3. It leaves when nothing holds it back: neither a pause, nor a limit, nor a failure streak, nor too many others. After
///    a failure one request at a time feels its way. Where objects go to an address of their own, a wait that is asked for
///    there delays the persons whose next objects go there, and nobody else.
/// 4. Its answer settles its emissions or puts them back at the front of their persons' queues.
struct DeliveryQueue: Sendable {
    let limits: DestinationLimits
    let configuration: DeliveryConfiguration
    let backoff: Backoff
    var random: SplitMix64

    var persons: [String: PersonQueue] = [:]
    private var ready: Deque<(person: String, since: Instant)> = []
    private var readyObjects = 0
    private var delayed: [(until: Instant, persons: [String])] = []
    private var blocked: [String] = []
    /// Whether anything ever had to follow another person: most destinations never ask.
    private var mayBlock = false
    /// Sequences of the emissions in the window.
    var held: Set<Int64> = []

    var inFlight: [Int: PlannedRequest] = [:]
    private(set) var nextID = 0
    private var bucket: TokenBucket
    var failures = FailureStreak()
    /// Waits that the destination asked for, at its main address.
    var throttles = FailureStreak()
    /// The same by array, for those with an address and so a limit of their own: they hold up nothing else.
    var separateThrottles: [String: FailureStreak] = [:]
    /// Requests are made one at a time until one succeeds.
    var isCautious = false
    var standstill: Standstill?
    var isDraining = false

    /// What happened to emissions without a request.
    private var settlement = Settlement()
    var types = AttributeTypes()
    var unknownOutcomes = 0
    /// Occurrences that a request holds or may have brought, with the number of such requests. All but one of them are
    /// possible duplicates once the occurrence is delivered.
    private(set) var uncertain: [Int64: Int] = [:]
    /// Whether `uncertain` has grown since somebody looked: it must be on disk before the requests leave.
    var hasNewUncertainty = false
    let pricing: Pricing
    var lastDeliveredAt: Instant?

    /// Why nothing is sent until a person, or a probe, says that it is worth it again.
    struct Standstill: Sendable, Hashable {
        var reason: String
        var since: Instant
        var probeAt: Instant
        var isProbing = false
    }

    /// Requests under way at a time: with few, the answers of a distant destination would pace the sender.
    private let requestsInFlight: Int

    init(
        limits: DestinationLimits, configuration: DeliveryConfiguration, pricing: Pricing = .free, seed: UInt64,
        now: Instant
    ) {
        precondition(configuration.pageSize <= configuration.windowSize, "a page of the outbox fits the window")
        self.limits = limits
        self.configuration = configuration
        backoff = Backoff(first: configuration.firstBackoff, cap: configuration.longestBackoff)
        random = SplitMix64(seed: seed)
        self.pricing = pricing
        let rate = configuration.requestsPerSecond ?? limits.requestsPerSecond
        bucket = TokenBucket(requestsPerSecond: rate, now: now)
        requestsInFlight = configuration.requestsInFlight ?? max(16, min(100, Int(rate / 10)))
    }

    // MARK: In

    /// Whether another page of the outbox has room.
    var wantsMore: Bool { !isDraining && held.count + configuration.pageSize <= configuration.windowSize }

    /// Takes one emission of the outbox. `known` tells what the ledger holds of its values, unless it `mayBeSent` already
    /// by a process that died: then nothing is known.
    mutating func enqueue(
        _ emission: EmissionReference, _ mapping: Mapping, known: [String: Known], mayBeSent: Bool = false,
        now: Instant
    ) {
        guard !held.contains(emission.sequence) else { return }
        switch mapping {
        case .nothing:
            settlement.add(emission, .unchanged)
        case .refused(let reason):
            settlement.add(emission, .refused, reason)
        case .occurrence(let person, let occurrence):
            if let reason = RequestBuilder.refusal(of: occurrence, limits: limits) {
                settlement.add(emission, .parked, reason)
            } else {
                if !occurrence.follows.isEmpty { mayBlock = true }
                insert(QueueItem(emission: emission, content: .occurrence(occurrence)), of: person, now: now)
            }
        case .update(let person, let update):
            if let reason = RequestBuilder.refusal(of: update, limits: limits) {
                settlement.add(emission, .parked, reason)
                return
            }
            if emission.origin == .repair {
                // What was acknowledged before is no longer so.
                for name in update.values.keys { persons[person]?.known[name]?.value = nil }
            }
            // Most are new people with nothing known.
            for (name, entry) in known where persons[person]?.known[name] == nil {
                var entry = entry
                if mayBeSent || emission.origin == .repair { entry.value = nil }
                persons[person, default: PersonQueue()].known[name] = entry
            }
            insert(QueueItem(emission: emission, content: .update(update)), of: person, now: now)
        }
    }

    private mutating func insert(_ item: QueueItem, of person: String, now: Instant) {
        held.insert(item.emission.sequence)
        let arrival = persons[person, default: PersonQueue()].arrive(item)
        for (emission, by) in arrival.superseded {
            held.remove(emission.sequence)
            settlement.add(emission, .superseded(by: by))
        }
        if arrival.isNewlyReady { ready.append((person, now)) }
        readyObjects += arrival.readyObjects
    }

    /// Settlements that no answer caused, since the last call.
    mutating func takeSettlement() -> Settlement {
        defer { settlement = Settlement() }
        return settlement
    }

    // MARK: Persons' places

    /// Makes a person ready who has something waiting and is nowhere; forgets one who has nothing.
    mutating func place(_ person: String, now: Instant) {
        guard let index = persons.index(forKey: person) else { return }
        place(person, at: index, now: now)
    }

    /// A person's request has ended.
    mutating func free(_ person: String, now: Instant) {
        guard let index = persons.index(forKey: person) else { return }
        persons.values[index].place = .nowhere
        place(person, at: index, now: now)
    }

    private mutating func place(_ person: String, at index: Dictionary<String, PersonQueue>.Index, now: Instant) {
        if persons.values[index].place == .nowhere {
            guard !persons.values[index].isEmpty else {
                persons.remove(at: index)
                return
            }
            persons.values[index].place = .ready
            ready.append((person, now))
        }
        readyObjects += persons.values[index].recountReady()
    }

    /// After a change of a queue that stays where it is. Empty queues among the ready are passed over later.
    mutating func refreshEstimate(of person: String) {
        guard let index = persons.index(forKey: person) else { return }
        readyObjects += persons.values[index].recountReady()
    }

    mutating func delay(_ delayedPersons: [String], until: Instant) {
        var waiting: [String] = []
        for person in delayedPersons {
            guard let queue = persons[person] else { continue }
            persons[person]?.place = queue.isEmpty ? .nowhere : .delayed
            if queue.isEmpty { persons[person] = nil } else { waiting.append(person) }
        }
        guard !waiting.isEmpty else { return }
        if delayed.last?.until == until {
            delayed[delayed.count - 1].persons += waiting
        } else {
            delayed.append((until, waiting))
        }
    }

    private mutating func releaseDelayed(now: Instant) {
        let due = delayed.filter { $0.until <= now }
        guard !due.isEmpty else { return }
        delayed.removeAll { $0.until <= now }
        for person in due.flatMap(\.persons) {
            persons[person]?.place = .nowhere
            place(person, now: now)
        }
    }

    /// Whether something must wait because earlier emissions of a person whom it follows are not through. Who is under
    /// way counts as earlier: their answer comes, and there are no circles, for nobody waits for what is later.
    private func mustWait(_ item: QueueItem) -> Bool {
        item.follows.contains { person in
            guard let other = persons[person] else { return false }
            return other.place == .inFlight || (other.first ?? .max) < item.emission.sequence
        }
    }

    /// Until when objects for the address that something goes to must wait; `nil` if they need not.
    private func throttled(_ item: QueueItem, now: Instant) -> Instant? {
        guard let until = separateThrottles[item.array]?.until, until > now else { return nil }
        return until
    }

    private mutating func releaseBlocked(now: Instant) {
        guard !blocked.isEmpty else { return }
        let waiting = blocked
        blocked = []
        for person in waiting {
            guard let queue = persons[person], queue.place == .blocked else { continue }
            if queue.isBlocked(mustWait) {
                blocked.append(person)
            } else {
                persons[person]?.place = .nowhere
                place(person, now: now)
            }
        }
    }

    // MARK: Out

    /// The requests to make now.
    mutating func requests(now: Instant) -> [PlannedRequest] {
        releaseDelayed(now: now)
        releaseBlocked(now: now)
        var requests: [PlannedRequest] = []
        while let due = dueAt(now: now), due <= now {
            guard let request = fillRequest(now: now) else { continue }
            requests.append(request)
        }
        return requests
    }

    /// When to call `requests` again if nothing comes in before; `nil`: not at all.
    mutating func wakeAt(now: Instant) -> Instant? {
        guard !isDraining else { return nil }
        if let standstill { return standstill.isProbing ? nil : standstill.probeAt }
        return [delayed.map(\.until).min(), dueAt(now: now)].compactMap(\.self).min()
    }

    /// When the next request may leave, as things stand.
    private mutating func dueAt(now: Instant) -> Instant? {
        let isFeelingItsWay = isCautious || !failures.isEmpty
        guard !isDraining, standstill == nil, let first = ready.first,
            inFlight.count < (isFeelingItsWay ? 1 : requestsInFlight)
        else { return nil }
        let wait = inFlight.isEmpty ? configuration.idleWait : configuration.maximumWait
        let filled = readyObjects >= limits.fullRequest ? now : first.since + wait
        return max(filled, failures.until, throttles.until, bucket.availableAt(now: now))
    }

    /// Fills one request from the ready persons; `nil` if all that they had needs none.
    private mutating func fillRequest(now: Instant) -> PlannedRequest? {
        var builder = RequestBuilder(limits: limits)
        let mayWait = mayBlock || separateThrottles.values.contains { $0.until > now }
        while !builder.isFull, let person = ready.first?.person, let index = persons.index(forKey: person) {
            let before = builder.items.count
            // Taken out while it is changed: a copy would copy what waits in it.
            var queue = PersonQueue()
            swap(&queue, &persons.values[index])
            let unneeded =
                mayWait
                ? queue.take(person: person, into: &builder) { [self] in throttled($0, now: now) != nil || mustWait($0)
                }
                : queue.take(person: person, into: &builder)
            for entry in unneeded.emissions {
                held.remove(entry.emission.sequence)
                settlement.add(entry.emission, entry.fate)
            }
            for (name, known) in unneeded.confirmed {
                settlement.note(person, name, known)
            }
            let tookPart = builder.items.count > before
            let waitsUntil = mayWait && !tookPart ? queue.next.flatMap { throttled($0, now: now) } : nil
            let isBlocked = mayWait && !tookPart && waitsUntil == nil && queue.isBlocked(mustWait)
            guard tookPart || queue.isEmpty || isBlocked || waitsUntil != nil else {
                precondition(!builder.isEmpty, "nothing of a person's queue fits an empty request")
                swap(&queue, &persons.values[index])
                break
            }
            ready.removeFirst()
            readyObjects -= queue.countedObjects
            queue.countedObjects = 0
            queue.place = tookPart ? .inFlight : isBlocked ? .blocked : .nowhere
            if isBlocked { blocked.append(person) }
            if queue.isEmpty, !tookPart {
                persons.remove(at: index)
            } else {
                swap(&queue, &persons.values[index])
                if let waitsUntil { delay([person], until: waitsUntil) }
            }
        }
        guard !builder.isEmpty else { return nil }
        let taken = bucket.take(now: now)
        precondition(taken, "a request was filled while the rate limit forbids it")
        let request = builder.request(id: nextID, sentAt: now)
        precondition(request.objects.count <= limits.objectsPerRequest && request.bytes <= limits.bytesPerRequest)
        nextID += 1
        inFlight[request.id] = request
        for item in request.items where item.isOccurrence {
            uncertain[item.emission.sequence, default: 0] += 1
            hasNewUncertainty = true
        }
        return request
    }
}

// MARK: - Pause, probe, end

extension DeliveryQueue {
    mutating func stop(reason: String, now: Instant) {
        if standstill == nil {
            standstill = Standstill(reason: reason, since: now, probeAt: now + configuration.probeInterval)
        } else {
            standstill?.reason = reason
        }
    }

    /// Whether to ask the destination now if its settings work again; then `probed` must follow.
    mutating func startProbe(now: Instant) -> Bool {
        guard let standstill, !standstill.isProbing, standstill.probeAt <= now, !isDraining else { return false }
        self.standstill?.isProbing = true
        return true
    }

    mutating func probed(_ verdict: ProbeVerdict, now: Instant) {
        switch verdict {
        case .working: resume()
        case .misconfigured(let reason): standstill?.reason = reason
        case .unavailable: break
        }
        standstill?.isProbing = false
        standstill?.probeAt = now + configuration.probeInterval
    }

    /// Tries again, one request at first. An advised wait still holds.
    mutating func resume() {
        standstill = nil
        isCautious = true
        failures.reset()
    }

    /// Takes over what a process that ended left behind.
    mutating func restore(uncertain: [Int64: Int]) { self.uncertain = uncertain }

    /// An occurrence left a request that certainly did not bring it.
    mutating func forgetArrival(of sequence: Int64) {
        guard let count = uncertain[sequence] else { return }
        uncertain[sequence] = count > 1 ? count - 1 : nil
    }

    /// How often an occurrence that is now settled may have arrived in all.
    mutating func takeArrivals(of sequence: Int64) -> Int { uncertain.removeValue(forKey: sequence) ?? 0 }

    /// Forgets what waits of a computation, which stays in the outbox; what is under way ends as it may.
    mutating func drop(computation id: String) {
        for person in persons.keys {
            for emission in persons[person]?.remove(where: { $0.computationID == id }) ?? [] {
                held.remove(emission.sequence)
            }
            refreshEstimate(of: person)
        }
    }

    /// Forgets what waits about these profiles; what is under way ends as it may and does not come back.
    mutating func drop(profiles: Set<ProfileOrdinal>) {
        for id in inFlight.keys { inFlight[id]?.deletedProfiles.formUnion(profiles) }
        for person in persons.keys {
            for emission in persons[person]?.remove(where: { profiles.contains($0.profile) }) ?? [] {
                held.remove(emission.sequence)
                uncertain[emission.sequence] = nil
            }
            refreshEstimate(of: person)
        }
    }

    /// Makes no further requests; those under way may end.
    mutating func drain() { isDraining = true }

    /// Whether a request may have changed something without our knowing what.
    var hasUnknowns: Bool {
        !inFlight.isEmpty || persons.values.contains { $0.known.values.contains { $0.value == nil } }
    }

    /// Nothing waits in the window and nothing is under way.
    var isIdle: Bool { held.isEmpty && inFlight.isEmpty }
}
