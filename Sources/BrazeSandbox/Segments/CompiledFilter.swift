import JSON

/// A filter ready to run on profiles.
struct CompiledFilter {
    private let filter: Filter
    /// Number of the attribute's or event's name; `nil` where nobody ever had it.
    private var name: Int32?
    private var test: ValueTest?
    private var nested: CompiledAudience?
    /// First instant inside, of a window or day.
    private var start: EpochMilliseconds = 0
    private var end: EpochMilliseconds = 0
    private var property: PropertyTest?

    var slowPattern: String? {
        if let pattern = test?.pattern, pattern.isTooSlow { return pattern.source }
        return nil
    }

    init(_ filter: Filter, in audience: Audience) throws(DefinitionError) {
        self.filter = filter
        let now = audience.now
        let calendar = CompanyCalendar(identifier: audience.timeZone)
        switch filter {
        case .attribute(let attribute):
            name = audience.attributes.number(attribute.name)
            if let name, audience.attributes.entries[Int(name)].isBlocklisted { self.name = nil }
            test = try ValueTest(attribute.comparison, attribute.type, attribute.value, audience, calendar)
        case .field(_, let comparison, let value):
            test = try ValueTest(comparison, .string, value, audience, calendar)
        case .eventCount(let name, _, _): self.name = audience.events.number(name)
        case .eventMoment(let name, _, let comparison, let value):
            self.name = audience.events.number(name)
            switch comparison {
            case .before: end = calendar.start(ofDay: value.string.flatMap(CompanyCalendar.days) ?? 0)
            case .after: start = calendar.start(ofDay: (value.string.flatMap(CompanyCalendar.days) ?? 0) + 1)
            case .moreThanAgo, .lessThanAgo: start = now - CompiledFilter.milliseconds(days: value.double ?? 0)
            }
        case .eventInDays(let name, _, _, let days, let property):
            self.name = audience.events.number(name)
            // UTC calendar days: from 00:00 of (today - days) until now (§5.4).
            start = (DateText.floorDivide(now, DateText.day) - EpochMilliseconds(days)) * DateText.day
            self.property = property.map(PropertyTest.init)
        case .segment(let id, _):
            guard let segment = audience.segments.first(where: { $0.id == id }) else {
                throw DefinitionError("There is no segment with the id \(id).")
            }
            nested = try CompiledAudience(segment.definition, in: audience)
        case .purchaseCount, .cohort, .flag, .randomBucket: break
        }
    }

    static func milliseconds(days: Double) -> EpochMilliseconds {
        EpochMilliseconds((min(days, 1_000_000) * Double(DateText.day)).rounded())
    }

    static func isEmailAvailable(_ profile: Profile) -> Bool {
        profile.email != nil && profile.fields[StandardField.emailSubscribe.rawValue] != "unsubscribed"
    }

    func contains(_ profile: Profile) -> Bool {
        switch filter {
        case .attribute(let attribute):
            let value = name.flatMap { profile.attributes[$0] }
            guard let test else { return false }
            guard let path = attribute.path else { return test.holds(value) }
            return test.holds(value, path: path)
        case .field(let name, _, _): return test?.holds(Self.field(name, of: profile)) ?? false
        case .eventCount(_, let comparison, let n):
            return comparison.holds(name.flatMap { profile.events[$0]?.count } ?? 0, n)
        case .eventMoment(_, let isFirst, let comparison, _):
            guard let occurrences = name.flatMap({ profile.events[$0] }) else { return false }
            let moment = isFirst ? occurrences.first : occurrences.last
            switch comparison {
            case .before: return moment < end
            case .after: return moment >= start
            case .moreThanAgo: return moment < start
            case .lessThanAgo: return moment >= start
            }
        case .eventInDays(_, let comparison, let n, _, _):
            let occurrences = name.flatMap { profile.events[$0] }
            guard let property else { return comparison.holds(occurrences?.count(since: start) ?? 0, n) }
            let count = occurrences?.properties.count { $0.time >= start && property.holds($0) } ?? 0
            return comparison.holds(count, n)
        case .purchaseCount(let comparison, let n):
            return comparison.holds(profile.purchases.pairs.reduce(0) { $0 + $1.value.count }, n)
        case .segment(_, let isIncluded): return nested?.contains(profile) == isIncluded
        case .cohort(let partner, let id, let isIncluded):
            return profile.cohorts.contains("\(partner):\(id)") == isIncluded
        case .flag(let flag, let isSet):
            switch flag {
            case .hasExternalID: return (profile.externalID != nil) == isSet
            case .emailAvailable: return Self.isEmailAvailable(profile) == isSet
            case .pushEnabled: return profile.pushTokens.isEmpty != isSet
            }
        case .randomBucket(let comparison, let n): return comparison.holds(profile.randomBucket, n)
        }
    }

    private static func field(_ name: String, of profile: Profile) -> AttributeValue? {
        let text: String?
        switch name {
        case "external_id": text = profile.externalID
        case "email": text = profile.email
        case "phone": text = profile.phone
        default: text = StandardField.byName[name].flatMap { profile.fields[$0.rawValue]?.string }
        }
        return text.map { .string($0) }
    }
}

/// A condition on a property that is enabled for segmentation.
private struct PropertyTest {
    let property: Filter.Property

    init(_ property: Filter.Property) { self.property = property }

    func holds(_ occurrence: Occurrences.PropertyValue) -> Bool {
        guard occurrence.name == property.name else { return false }
        let text = { (value: JSONValue) in value.string ?? value.description }
        switch property.comparison {
        case .equals: return text(occurrence.value) == text(property.value)
        case .doesNotEqual: return text(occurrence.value) != text(property.value)
        case .moreThan, .lessThan:
            guard let left = occurrence.value.double,
                let right = property.value.double ?? property.value.string.flatMap(Double.init)
            else { return false }
            return property.comparison == .moreThan ? left > right : left < right
        }
    }
}
