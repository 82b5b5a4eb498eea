// SPDX-License-Identifier: MIT
#include "io/conversion.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "io/census.hpp"
#include "io/conversion_output.hpp"
#include "io/conversion_parts.hpp"
#include "io/dataset.hpp"
#include "io/rejections.hpp"

namespace isotrope {

namespace fs = std::filesystem;

namespace conversion {

namespace {

/// Reads the parts of this rank, one after the other.
class PartReader {
 public:
  PartReader(const ConversionRequest& request, int parts) : request_(request), progress_("convert"), parts_(parts) {}

  /// Calls take(structure) for each structure of the part.
  template <class F>
  PartRecord operator()(const Part& part, F&& take) {
    ReadOptions options = request_.read;
    options.entries = part.entries;
    auto reader = open_reader(part.file, request_.format, options);
    PartRecord record;
    for (Structure structure; next(*reader, structure, record);) {
      take(structure);
      ++record.structures;
      if (progress_.due()) {
        progress_.update((done_ + reader->progress()) / parts_,
                         fmt::format("{} structures", structures_ + record.structures));
      }
    }
    record.findings = reader->report();
    structures_ += record.structures;
    ++done_;
    return record;
  }

 private:
  bool next(StructureReader& reader, Structure& structure, PartRecord& record) {
    for (;;) {
      try {
        return reader.next(structure);
      } catch (const EntryError& error) {
        if (!request_.skip_bad) {
          log().info("--on-error skip leaves out what is not fit, and lists it");
          throw;
        }
        record.rejected.push_back(error.what());
      }
    }
  }

  const ConversionRequest& request_;
  Progress progress_;
  double parts_, done_ = 0;
  std::int64_t structures_ = 0;
};

void convert_part(PartReader& read, const Part& part, const PartFolder& folder, int index) {
  DatasetWriter writer(folder.structures_path(index));
  const PartRecord record = read(part, [&](const Structure& structure) { writer.add(structure); });
  if (record.structures > 0) writer.commit({}, false, {});
  folder.write_record(index, record);
}

/// What was found in each input, over its parts: text and unit decide what is added up.
nlohmann::json summarise(const std::vector<Part>& parts, const std::vector<PartRecord>& records) {
  nlohmann::json sources = nlohmann::json::array();
  for (std::size_t first = 0; first < parts.size();) {
    std::vector<Finding> findings;
    std::int64_t structures = 0, rejected = 0;
    std::size_t p = first;
    for (; p < parts.size() && parts[p].file == parts[first].file && (p == first || parts[p].entries.begin > 0); ++p) {
      structures += records[p].structures;
      rejected += static_cast<std::int64_t>(records[p].rejected.size());
      for (const Finding& f : records[p].findings) {
        auto same = std::find_if(findings.begin(), findings.end(),
                                 [&](const Finding& other) { return other.text == f.text && other.unit == f.unit; });
        if (same == findings.end()) {
          findings.push_back(f);
        } else {
          same->count += f.count;
          same->total += f.total;
        }
      }
    }
    const std::vector<std::string> lines = lines_of(findings);
    for (const std::string& line : lines) log().info("{}: {}", parts[first].file, line);
    const fs::path input(parts[first].file);  // a folder may end in a slash
    const fs::path name = input.has_filename() ? input.filename() : input.parent_path().filename();
    sources.push_back({{"file", name.string()}, {"structures", structures}, {"labels", lines}});
    if (rejected > 0) sources.back()["rejected"] = rejected;
    first = p;
  }
  return sources;
}

/// Makes the output.
class Joiner {
 public:
  Joiner(const ConversionRequest& request, const PartFolder& folder, const std::vector<Part>& parts)
      : request_(request), folder_(folder), parts_(parts) {}

  /// From the finished parts.
  ConversionOutcome join() {
    for (int p = 0; p < static_cast<int>(parts_.size()); ++p) {
      records_.push_back(folder_.record(p));
      structures_ += records_.back().structures;
    }
    Split split;
    if (request_.split && structures_ > 0) split = make_split(*request_.split, split_input());
    const std::string joined = folder_.joined_path(fs::path(request_.output).extension().string());
    Output output(joined, request_, folder_.path());
    copy(output, split);
    return commit(output, joined, split.record);
  }

  /// From the input itself, where it is one part and is not split: before it is done there is nothing to go on from.
  bool is_direct() const {
    return parts_.size() == 1 && !folder_.is_done(0) && !request_.split && Output::is_one_dataset(request_.output);
  }
  ConversionOutcome convert_directly() {
    PartReader read(request_, 1);
    const std::string whole = folder_.joined_path(".h5");
    Output output(whole, request_, folder_.path());
    records_.push_back(read(parts_[0], [&](const Structure& structure) { add(structure, output); }));
    structures_ = records_[0].structures;
    return commit(output, whole, {});
  }

 private:
  void add(const Structure& structure, Output& output) {
    output.add(structure);
    census_.add(structure);
  }

  ConversionOutcome commit(Output& output, const std::string& path, const nlohmann::json& split) {
    const nlohmann::json rejected = write_rejected();
    nlohmann::json provenance = request_.provenance;
    provenance["sources"] = summarise(parts_, records_);
    if (structures_ == 0) {
      folder_.remove();
      fail("{}: not written, there are no structures", request_.output);
    }
    if (request_.split) provenance["split"] = split;
    nlohmann::json census = census_.json();
    if (!rejected.is_null()) {
      census["rejected"] = rejected;
      provenance["rejected"] = rejected["entries"];
    }
    output.commit(provenance, census);
    if (fs::exists(path)) fs::rename(path, request_.output);
    return {census};
  }

  /// The log, and what of it belongs into the census: null where nothing was rejected.
  nlohmann::json write_rejected() const {
    const std::string log_path = request_.output + ".rejected.log";
    std::string text;
    Rejections rejections;
    for (std::size_t p = 0; p < records_.size(); ++p) {
      for (const std::string& message : records_[p].rejected) {
        text += message + "\n";
        rejections.add(message, parts_[p].file);
      }
    }
    if (text.empty()) {
      fs::remove(log_path);  // of an earlier conversion
      return nullptr;
    }
    write_text_file(log_path, text);
    return rejections.json(fs::path(log_path).filename().string());
  }

  SplitInput split_input() const {
    SplitInput input;
    std::unordered_map<std::string, int> index_of;
    for (int p = 0; p < static_cast<int>(records_.size()); ++p) {
      if (records_[p].structures == 0) continue;
      const Dataset part = Dataset::open(folder_.structures_path(p));
      std::vector<int> index;
      for (const std::string& name : part.group_names()) {
        const auto [place, is_new] = index_of.try_emplace(name, static_cast<int>(input.group_names.size()));
        if (is_new) input.group_names.push_back(name);
        index.push_back(place->second);
      }
      for (int group : part.groups()) input.group.push_back(index.at(group));
    }
    return input;
  }

  void copy(Output& output, const Split& split) {
    constexpr std::int64_t block = 1024;
    Progress progress("write");
    std::size_t place = 0;
    for (int p = 0; p < static_cast<int>(records_.size()); ++p) {
      if (records_[p].structures == 0) continue;
      const Dataset part = Dataset::open(folder_.structures_path(p));
      for (std::int64_t begin = 0; begin < part.size(); begin += block) {
        for (Structure& s : part.read_range(begin, std::min(block, part.size() - begin))) {
          if (request_.split) s.split = split.set[place] < 0 ? "" : split.names[split.set[place]];
          add(s, output);
          ++place;
        }
        progress.update(static_cast<double>(place) / static_cast<double>(structures_),
                        fmt::format("{} structures", place));
      }
    }
  }

  const ConversionRequest& request_;
  const PartFolder& folder_;
  const std::vector<Part>& parts_;
  std::vector<PartRecord> records_;
  std::int64_t structures_ = 0;
  Census census_;
};

}  // namespace
}  // namespace conversion

ConversionOutcome convert(const ConversionRequest& request, const Communicator& communicator) {
  conversion::Output::check(request);
  if (request.split) check_rule(*request.split);
  const std::vector<conversion::Part> parts = conversion::plan_parts(request);
  const conversion::PartFolder folder(request.output);
  const int count = static_cast<int>(parts.size());
  conversion::Joiner joiner(request, folder, parts);
  if (communicator.root()) {
    const int done = folder.begin(request, parts);
    if (done > 0) log().info("going on with {}.parts: {} of {} parts are done", request.output, done, count);
  }
  communicator.barrier();
  const bool direct = communicator.root() && joiner.is_direct();  // other ranks have no part then
  try {
    std::vector<int> mine;
    for (int p = communicator.rank(); p < count && !direct; p += communicator.ranks())
      if (!folder.is_done(p)) mine.push_back(p);
    conversion::PartReader read(request, static_cast<int>(mine.size()));
    for (int p : mine) conversion::convert_part(read, parts[p], folder, p);
    communicator.barrier();
    if (!communicator.root()) return {};
    const ConversionOutcome outcome = direct ? joiner.convert_directly() : joiner.join();
    folder.remove();
    return outcome;
  } catch (...) {
    if (communicator.ranks() == 1 && !folder.remove_if_nothing_is_done())
      log().warn("finished parts stay in {}: the same command goes on from them", folder.path());
    throw;
  }
}

}  // namespace isotrope
