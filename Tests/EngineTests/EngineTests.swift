import EventLog
import JSON
import Model
import Store
import Testing

@testable import Engine

/// Goal: the engine does what the spec says for one call, one instant, one command after the other. Method: a real Log
/// and a real state file per test, every instant chosen by the test, assertions on values, transitions and the outbox.
@Suite struct EngineTests {
    @Test("engage §16-1: enters at once, and nothing on a second event")
    func entersOnce() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.destination(at: start), muster.create(.audience, key: "a", "event('A').count() >= 1", at: start),
            muster.connect("aud_a", track: false, at: start), muster.track("A", user: "u", at: start + hour),
            muster.track("A", user: "u", at: start + hour + hour),
        ])
        #expect(muster.isMember("a", user: "u"))
        #expect(try muster.outboxInShort() == ["u: identify a=true"])
    }

    @Test("engage §16-2: leaves a window on time though nothing arrives, at the exact instant")
    func leavesWindow() async throws {
        let muster = try TestInstallation()
        let at = start + hour
        try await muster.apply([
            muster.destination(at: start),
            muster.create(.audience, key: "a", "event('A').within(1 hours).count() >= 1", at: start),
            muster.connect("aud_a", at: start), muster.track("A", user: "u", at: at),
        ])
        try muster.advance(to: at + hour)
        #expect(muster.isMember("a", user: "u"), "the end of a window belongs to it")
        try muster.advance(to: at + day)
        #expect(!muster.isMember("a", user: "u"))
        let exit = try #require(try muster.transitions(user: "u").last)
        #expect(exit.at == at + hour + Instant.Span(milliseconds: 1))
        #expect(
            try muster.outboxInShort() == [
                "u: identify a=true", "u: Audience Entered a=true", "u: identify a=false", "u: Audience Exited a=false",
            ])
    }

    @Test("engage §16-3: between enters and leaves on time")
    func between() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "a", "event('A').between(1 hours, 2 hours).count() >= 1", at: start),
            muster.track("A", user: "u", at: start),
        ])
        #expect(!muster.isMember("a", user: "u"))
        try muster.advance(to: start + hour)
        #expect(muster.isMember("a", user: "u"))
        try muster.advance(to: start + hour + hour + Instant.Span(milliseconds: 1))
        #expect(!muster.isMember("a", user: "u"))
        #expect(try muster.transitions(user: "u").map(\.value) == [true, false])
    }

    @Test("engage §16-4: history on and off for 'did not'")
    func historyOnAndOff() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.track("A", user: "old", at: start), muster.track("B", user: "new", at: start),
            muster.create(.audience, key: "with", "NOT event('A').count() >= 1", at: start + hour),
            muster.create(
                .audience, key: "without", "NOT event('A').count() >= 1", at: start + hour,
                options: .init(includeHistoricalData: false)),
        ])
        #expect(!muster.isMember("with", user: "old"))
        #expect(muster.isMember("with", user: "new"))
        #expect(muster.isMember("without", user: "old"))
        #expect(muster.isMember("without", user: "new"))
    }

    @Test("engage §16-5: a late event counts at its own time")
    func lateEvent() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.trait, key: "n", "event('A').within(2 days).count()", at: start),
            muster.track("A", user: "u", at: start + day, received: start + day + day + day),
        ])
        #expect(muster.value("n", user: "u") == 1)
        try muster.advance(to: start + day + day + day + Instant.Span(milliseconds: 1))
        #expect(muster.value("n", user: "u") == 0, "a windowed counter that falls back says 0")
    }

    @Test("engage §16-11: a new e-mail on a member is told")
    func newIdentifierIsTold() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.destination(at: start), muster.create(.audience, key: "a", "event('A').count() >= 1", at: start),
            muster.connect("aud_a", track: false, at: start), muster.track("A", user: "u", at: start),
            muster.identify(user: "u", at: start + hour, ["email": "x@example.org"]),
            muster.identify(user: "u", at: start + day, ["email": "x@example.org"]),
        ])
        let calls = try muster.outbox()
        #expect(calls.count == 2)
        #expect(calls.last?["traits"]?["email"] == "x@example.org")
    }

    @Test("engage §16-12: a merge of a member with a non-member gives no false exit and no second entry")
    func mergeKeepsMembership() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.destination(at: start), muster.create(.audience, key: "a", "event('A').count() >= 1", at: start),
            muster.connect("aud_a", at: start),
            muster.track("B", anonymous: "anon", at: start),
            muster.identify(user: "u", at: start + hour, ["email": "x@example.org"]),
            muster.track("A", user: "u", at: start + hour + hour),
            // The anonymous profile is the older one: it absorbs the member.
            muster.track("B", user: "u", anonymous: "anon", at: start + day),
        ])
        #expect(muster.isMember("a", user: "u"))
        #expect(try muster.transitions(user: "u").map(\.value) == [true])
        #expect(try muster.outboxInShort() == ["u: identify a=true", "u: Audience Entered a=true"])
    }

    @Test("engage §16-16: with only an anonymous id nobody is a member, until they are known")
    func anonymous() async throws {
        let muster = try TestInstallation()
        var options = Computation.Options()
        options.filterByExternalIDs.append("anonymous_id")
        try await muster.apply([
            muster.create(.audience, key: "known", "event('A').count() >= 1", at: start),
            muster.create(.audience, key: "all", "event('A').count() >= 1", at: start, options: options),
            muster.track("A", anonymous: "x", at: start),
        ])
        let visitor = Identifier(type: "anonymous_id", value: "x")
        #expect(muster.value("known", visitor) == nil)
        #expect(muster.value("all", visitor) == true)
        try await muster.apply([muster.identify(user: "u", anonymous: "x", at: start + hour, [:])])
        #expect(muster.isMember("known", user: "u"))
    }

    @Test("engage §16-18: circles of audiences are refused with the path")
    func cycles() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "a", "event('A').count() >= 1", at: start),
            muster.create(.audience, key: "b", "trait('a') = 'true'", at: start),
            muster.create(.audience, key: "a", "trait('b') = 'true'", at: start + hour),
        ])
        let outcome = try #require(muster.engine.outcomes[2])
        guard case .failure(let error) = outcome else {
            Issue.record("the circle was accepted")
            return
        }
        #expect(error.message.contains("a → b → a"))
    }

    @Test("audiences of audiences change in the same batch, in dependency order")
    func audiencesOfAudiences() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "buyers", "event('A').within(1 days).count() >= 1", at: start),
            muster.create(.audience, key: "vip", "trait('buyers') = 'true' AND trait('plan') = 'pro'", at: start),
            muster.identify(user: "u", at: start, ["plan": "pro"]), muster.track("A", user: "u", at: start),
        ])
        #expect(muster.isMember("vip", user: "u"))
        try muster.advance(to: start + day + hour)
        #expect(!muster.isMember("vip", user: "u"))
        let rows = try muster.transitions(user: "u")
        #expect(rows.map(\.computationID) == ["aud_buyers", "aud_vip", "aud_buyers", "aud_vip"])
        #expect(rows[3].at == start + day + Instant.Span(milliseconds: 1))
    }

    @Test("engage §16-19: disabled computes nothing, enabled catches up, deleted stays as a custom trait")
    func lifecycle() async throws {
        let muster = try TestInstallation()
        func put(enabled: Bool, at: Instant) -> LogEntry {
            .command(
                .putComputation(
                    Computation(
                        id: "tra_n", kind: .trait, key: "n", name: "n", query: "event('A').count()",
                        enabled: enabled, createdAt: start, updatedAt: at)), receivedAt: at)
        }
        try await muster.apply([
            put(enabled: true, at: start), muster.track("A", user: "u", at: start + hour),
            put(enabled: false, at: start + hour), muster.track("A", user: "u", at: start + hour + hour),
        ])
        #expect(muster.value("n", user: "u") == 1)
        try await muster.apply([put(enabled: true, at: start + day)])
        #expect(muster.value("n", user: "u") == 2)
        try await muster.apply([.command(.deleteComputation(id: "tra_n"), receivedAt: start + day)])
        #expect(muster.engine.computation(id: "tra_n") == nil)
        try await muster.apply([
            muster.create(.audience, key: "two", "trait('n') >= 2", at: start + day),
            muster.create(.trait, key: "n", "event('A').count()", at: start + day),
        ])
        #expect(muster.isMember("two", user: "u"), "values of deleted traits read as custom traits")
        guard case .failure = muster.engine.outcomes[muster.engine.position - 1] else {
            Issue.record("a key was given twice")
            return
        }
    }

    @Test("a message id takes effect once, also after a restart")
    func onceOnly() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.trait, key: "n", "event('A').count()", at: start),
            muster.track("A", user: "u", at: start, id: "same"), muster.track("A", user: "u", at: start, id: "same"),
        ])
        #expect(muster.value("n", user: "u") == 1)
        try muster.reopen()
        try await muster.apply([muster.track("A", user: "u", at: start + hour, id: "same")])
        #expect(muster.value("n", user: "u") == 1)
        #expect(try muster.store.counters()["duplicate_calls"] == 2)
        // The memory of ids ends 72 hours after the first copy was received.
        try await muster.apply([muster.track("A", user: "u", at: start + day + day + day + hour, id: "same")])
        #expect(muster.value("n", user: "u") == 2)
    }

    @Test("a connection made later sends everybody's value once, and only kinds that were not sent before")
    func laterConnection() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.destination(at: start), muster.create(.trait, key: "n", "event('A').count()", at: start),
            muster.track("A", user: "u", at: start), muster.track("B", user: "v", at: start),
            muster.connect("tra_n", track: false, at: start + hour),
        ])
        #expect(try muster.outboxInShort() == ["u: identify n=1"])
        try await muster.apply([muster.connect("tra_n", track: true, at: start + hour + hour)])
        #expect(try muster.outboxInShort() == ["u: identify n=1", "u: Trait Computed n=1"])
    }

    @Test("the seed: last product viewed, with a merge of an anonymous visit")
    func seedTrait() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(
                .trait, key: "last_product_viewed_item", "event('Product Viewed').last(property('name'))", at: start),
            muster.track("Product Viewed", anonymous: "a", at: start + hour, ["name": "Sweater"]),
            muster.track("Product Viewed", user: "u", at: start, ["name": "Socks"]),
        ])
        #expect(muster.value("last_product_viewed_item", user: "u") == "Socks")
        try await muster.apply([muster.identify(user: "u", anonymous: "a", at: start + day, [:])])
        #expect(muster.value("last_product_viewed_item", user: "u") == "Sweater")
    }

    @Test("commands name what is wrong")
    func refusals() async throws {
        let muster = try TestInstallation()
        try await muster.apply([
            muster.create(.audience, key: "a", "event('A').cuont() >= 1", at: start),
            .command(.deleteComputation(id: "aud_nope"), receivedAt: start),
            muster.connect("aud_nope", at: start),
        ])
        for offset in Int64(0)..<3 {
            guard case .failure(let error) = try #require(muster.engine.outcomes[offset]) else {
                Issue.record("command \(offset) was accepted")
                continue
            }
            #expect(!error.message.isEmpty)
        }
        #expect(muster.engine.computations.isEmpty)
    }
}
