import Model
import Query
import Testing

/// Goal: the engine touches what a definition depends on, and nothing else.
@Suite struct DependencyTests {
    private func dependencies(_ text: String, _ kind: Computation.Kind = .audience) throws -> Dependencies {
        try Definition.parse(text, kind: kind).dependencies
    }

    private func path(_ text: String) -> PropertyPath { PropertyPath(text: text) }

    @Test func pathsBelongToTheEventThatIsRead() throws {
        let found = try dependencies(
            """
            event('View').where(property('category') = 'x' AND context('page.url').exists()
              AND event('Buy').where(property('sku') = property(parent: 'sku') AND property('who') = trait('address.city'))
                .within(parent: 7 days).sum(property('price')) > 5).within(60 days).count() >= 1 AND trait('vip') = 'true'
            """)
        #expect(Set(found.events.keys) == ["View", "Buy"])
        #expect(found.events["View"]?.properties == [path("category"), path("sku")])
        #expect(found.events["View"]?.contexts == [path("page.url")])
        #expect(found.events["Buy"]?.properties == [path("sku"), path("who"), path("price")])
        #expect(found.traits == [path("address.city"), path("vip")])
        #expect(found.traitKeys == ["address", "vip"])
        #expect(found.hasFunnel && found.hasDynamicReference && found.isTimeDependent)
        #expect(!found.hasQuantifier && !found.hasSession)
    }

    @Test(
        "how far back events matter",
        arguments: [
            ("event('A').count() >= 1", nil, nil, false),
            ("event('A').within(30 days).count() >= 1", 30, 30, true),
            ("event('A').between(30 days, 90 days).count() >= 1", 90, 90, true),
            ("event('A').within(30 days).within(10 days).count() >= 1", 10, 30, true),
            ("event('A').within(30 days).count() >= 1 OR event('A').within(9 days).count() >= 1", 30, 30, true),
            ("event('A').within(30 days).count() >= 1 OR event('A').count() >= 5", nil, 30, true),
            ("event('A').where(event('B').count() = 0).within(3 weeks).count() >= 1", 21, 21, true),
            ("event('A').where(event('B').within(parent: 7 days).count() = 0).count() >= 1", nil, 7, false),
            ("trait('a') = 1", 0, nil, false),
            ("trait('a').within_last(3 days)", 0, nil, true),
            ("trait('a').before_date(2025-01-01)", 0, nil, false),
        ] as [(String, Int64?, Int64?, Bool)])
    func horizon(text: String, horizon: Int64?, window: Int64?, isTimeDependent: Bool) throws {
        let found = try dependencies(text)
        #expect(found.horizon == horizon.map { .days($0) })
        #expect(found.largestWindow == window.map { .days($0) })
        #expect(found.isTimeDependent == isTimeDependent)
    }

    @Test func sessionsAndSources() throws {
        let found = try dependencies("event('A').expires_after(1 hour).sources({exclude: 's1', 's2'}).count()", .trait)
        #expect(found.hasSession && !found.isTimeDependent)
        #expect(found.excludedSources == ["s1", "s2"])
        #expect(found.horizon == nil)
        #expect(
            try dependencies("event('A').first(context('page.url'))", .trait).events["A"]?.contexts == [
                path("page.url")
            ])
    }

    @Test("§16.18 a definition that reads itself through others is found, by the shortest way")
    func cycles() {
        let graph: [String: Set<String>] = ["b": ["c", "x"], "c": ["a", "d"], "d": ["a"], "x": ["c"]]
        #expect(DependencyGraph.cycle(adding: "a", reading: ["b"], to: graph) == ["a", "b", "c", "a"])
        #expect(DependencyGraph.cycle(adding: "a", reading: ["b", "d"], to: graph) == ["a", "d", "a"])
        #expect(DependencyGraph.cycle(adding: "a", reading: ["a"], to: graph) == ["a", "a"])
        #expect(DependencyGraph.cycle(adding: "e", reading: ["b", "plan"], to: graph) == nil)
        #expect(DependencyGraph.cycle(adding: "a", reading: [], to: graph) == nil)
        // A cycle elsewhere is none of the new definition's.
        #expect(DependencyGraph.cycle(adding: "n", reading: ["p"], to: ["p": ["q"], "q": ["p"]]) == nil)
    }

    @Test("§3.7 what Segment would run as a batch")
    func cadence() throws {
        func cadence(
            _ text: String, _ kind: Computation.Kind = .audience, _ level: Computation.Level = .users
        ) throws -> SegmentCadence {
            try Definition.parse(text, kind: kind).segmentCadence(level: level)
        }
        #expect(try cadence("event('A').within(30 days).count() >= 1").reasons.isEmpty)
        #expect(try cadence("event('A').expires_after(1 hour).count()", .trait).reasons.isEmpty)
        #expect(try cadence("event('A').count()", .trait).text == "Updates in real time, here as in Segment.")
        #expect(
            try cadence("event('A').within(30 days).count()", .trait).reasons == [.slidingWindow("within(30 days)")])
        #expect(try cadence("trait('a') = 1", .audience, .accounts).reasons == [.accountLevel])
        #expect(try cadence("ANY trait('a') = 1", .audience, .accounts).reasons == [.accountLevel, .quantifier])
        #expect(
            try cadence("event('A').where(property('x') = trait('y')).count() = 1").reasons
                == [.dynamicReference("property('x') = trait('y')")])
        let funnel = try cadence(
            "event('A').where(NOT event('B').where(property('i') = property(parent: 'i')).within(parent: 7 days)"
                + ".count() >= 1).count() >= 1")
        #expect(
            funnel.reasons == [
                .funnel(event: "B"), .dynamicReference("property('i') = property(parent: 'i')"),
                .parentWindow("within(parent: 7 days)"),
            ])
        #expect(
            funnel.text
                == "Segment would run this every 8 hours, because it looks for 'B' in relation to another event; it "
                + "compares an event's property with another value: property('i') = property(parent: 'i'); it has a "
                + "window that starts at another event: within(parent: 7 days). Muster runs it in real time.")
    }
}
