import glob, re, signal, stat, time

from harness import *


def test_happy_path(c):
    m = c.model('tiny')
    s = result('slice', '-m', m, '-S')
    check(len(s['segments']) >= 2 and os.path.exists(os.path.join(m, 'analysis', 'model_metadata.json')), 'slices and analysis')
    k = result('compile', '-m', m)
    check(k['compiled'] == len(s['segments']) and re.fullmatch('[0-9a-f]{64}', k['model_id']), 'all compiled')
    check([r['bits'] for r in k['precision_table']] == [10, 12, 14, 16], 'precision table')
    for row in k['segments']:
        check(row['predicted']['memory_bytes'] > 0 and row['predicted']['proof_bytes'] > 0, 'predictions')
    r = result('run', '-m', m, '--compare', '-o', c.path('out.json'))
    check(r['status'] == 'complete' and r['comparison'][0]['argmax_agrees'] and r['comparison'][0]['max_rel_error'] < 0.05, 'comparison')
    out = json.load(open(c.path('out.json')))
    check(out['outputs'] == r['outputs'] and out['prediction'] == r['prediction'], 'run -o')
    p = result('prove', '--rd', r['run_dir'])
    check(p['proved'] == len(s['segments']) and p['peak_memory_bytes'] > 0, 'proved')
    v = result('verify', '--rd', r['run_dir'])
    check(v['verdict'] == 'accepted' and v['model_id'] == k['model_id'] and v['coverage']['segments_percent'] == 100.0, 'accepted')
    check(v['outputs'][0]['data'] == r['outputs'][0]['data'], 'the verifier shows the same output')
    j = json.load(open(os.path.join(r['run_dir'], 'run_result.json')))
    chain = j['execution_chain']
    check(chain['proved_slices'] == chain['verified_slices'] == chain['witness_slices'] == len(s['segments']), 'counters')
    for e in chain['execution_results']:
        check(e['witness_execution']['method'] == 'native_gen_witness' and e['proof_execution']['success'] and e['verification_execution']['verified'], str(e))
    check(j['chain_verification']['verdict'] == 'accepted', 'chain_verification')


def test_files_are_relative_and_private(c):
    m, rd = c.proved('tiny')
    for f in glob.glob(os.path.join(m, '**', '*.json'), recursive=True):
        if os.path.basename(f) not in ('eval.json', 'input.json'):
            text = read(f).decode()
            check(c.dir not in text, f'{f} holds an absolute path')
            j = json.loads(text)
            check('format_version' in j or 'quantization' in f, f'{f}: format version')
    for f in ['secret', 'ledger.bin', *[os.path.relpath(x, rd) for x in glob.glob(os.path.join(rd, '*', 'witness.bin')) + glob.glob(os.path.join(rd, 'boundaries', '*'))]]:
        check(stat.S_IMODE(os.stat(os.path.join(rd, f)).st_mode) == 0o600, f'{f}: mode')
    check(len(read(os.path.join(rd, 'secret'))) == 32, 'secret')


def test_moved_model_folder(c):
    m, rd = c.proved('tiny')
    os.rename(m, c.path('elsewhere'))
    run('verify', '--rd', c.path('elsewhere'))
    r = result('run', '-m', c.path('elsewhere'))
    run('prove', '--rd', r['run_dir'])


def test_up_to_date(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    a = result('compile', '-m', m)
    b = result('compile', '-m', m)
    check(b['up_to_date'] == a['compiled'] and b['compiled'] == 0 and b['model_id'] == a['model_id'], 'nothing to do')
    vk = glob.glob(os.path.join(m, 'slices', 'segment_*', 'native_circuit', '*_vk.bin'))
    before = {f: read(f) for f in vk}
    os.remove(vk[0])
    d = result('compile', '-m', m)
    check(d['compiled'] >= 1 and {f: read(f) for f in vk} == before, 'a missing key is made again, with equal bytes')
    e = result('compile', '-m', m, '--force')
    check(e['compiled'] == a['compiled'] and {f: read(f) for f in vk} == before, 'forced')
    f = result('compile', '-m', m, '--precision', '14')
    check(f['model_id'] != a['model_id'] and f['precision_bits'] == 14, 'another precision, another model id')


def test_proving_again_gives_equal_bytes(c):
    m, rd = c.proved('tiny')
    proofs = sorted(glob.glob(os.path.join(rd, 'segment_*', 'proof.bin')))
    first = [read(f) for f in proofs]
    again = result('prove', '--rd', rd)
    check(all(s['result'] == 'valid already' for s in again['segments']), 'valid proofs are kept')
    run('prove', '--rd', rd, '--force')
    check([read(f) for f in proofs] == first, '--force')
    for f in proofs:
        os.remove(f)
    run('prove', '--rd', rd, '--threads', '1')
    check([read(f) for f in proofs] == first, 'one thread')
    r2 = result('run', '-m', m)
    run('prove', '--rd', r2['run_dir'])
    other = [read(f) for f in sorted(glob.glob(os.path.join(r2['run_dir'], 'segment_*', 'proof.bin')))]
    check(all(a != b for a, b in zip(first, other)), 'another run has other randomness')


def test_resume_proving(c):
    m, rd = c.proved('tiny')
    os.remove(os.path.join(rd, 'segment_1', 'proof.bin'))
    p = result('prove', '--rd', m)
    check([s['result'] for s in p['segments']].count('proved') == 1, 'one made, the others kept')
    write(os.path.join(rd, 'segment_0', 'proof.bin'), b'junk')
    p = result('prove', '--rd', m)
    check(p['segments'][0]['result'] == 'proved', 'a damaged proof is made again')
    run('verify', '--rd', m)
    p = result('prove', '--rd', m, '-l', '1', '--force')
    check([s['result'] for s in p['segments']].count('proved') == 1, '-l')


def test_one_process_per_segment(c):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    r = result('run', '-m', m)
    jobs = [subprocess.Popen([PROGRAM, 'prove', '--rd', r['run_dir'], '-l', str(i), '--threads', '1'], stdout=subprocess.DEVNULL) for i in range(5)]
    check([p.wait(120) for p in jobs] == [0] * 5, 'every job')
    chain = json.load(open(os.path.join(r['run_dir'], 'run_result.json')))['execution_chain']
    check(chain['proved_slices'] == 5 and all(e['proof_execution']['success'] for e in chain['execution_results']), 'no result is lost')
    run('verify', '--rd', r['run_dir'], '--require-full')


def test_continue_a_run(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    a = result('run', '-m', m)
    f = os.path.join(a['run_dir'], 'run_result.json')
    j = json.load(open(f))
    j['status'] = 'running'
    write(f, json.dumps(j))
    secret, statement = read(os.path.join(a['run_dir'], 'secret')), read(os.path.join(a['run_dir'], 'statement.bin'))
    run('prove', '--rd', a['run_dir'], code=3, has='not complete')
    run('prove', '--rd', m, code=3, has='no complete run')
    b = result('run', '-m', m)
    check(b['run_dir'] == a['run_dir'] and b['continued'], 'continued')
    check(read(os.path.join(a['run_dir'], 'secret')) == secret and read(os.path.join(a['run_dir'], 'statement.bin')) == statement, 'same secret, same statement')
    write(f, json.dumps(j))
    check(result('run', '-m', m, '--new')['run_dir'] != a['run_dir'], '--new')
    check(result('run', '-m', m)['run_dir'] == a['run_dir'], 'the incomplete one')
    check(result('run', '-m', m)['run_dir'] != a['run_dir'], 'a complete one is left alone')


def test_bundle(c):
    m, rd = c.proved('tiny')
    b = c.path('bundle')
    run('bundle', '--rd', m, '-o', b)
    files = sorted(os.path.relpath(os.path.join(d, f), b) for d, _, fs in os.walk(b) for f in fs)
    n = len(glob.glob(os.path.join(rd, 'segment_*')))
    check(files == sorted(['quantization.json', 'statement.bin'] + [f'segment_{i}/{f}' for i in range(n) for f in ('proof.bin', 'vk.bin')]), str(files))
    run('bundle', '--rd', m, '-o', b, code=1, has='not empty')
    run('bundle', '--rd', m, '-o', b, '--force')
    os.rename(b, c.path('moved'))
    shutil.copyfile(os.path.join(m, 'model.onnx'), c.path('model.onnx'))
    shutil.copyfile(os.path.join(m, 'input.json'), c.path('input.json'))
    write(c.path('output.json'), json.dumps(result('verify', '--rd', rd)['outputs']))
    shutil.rmtree(m)
    v = result('verify', '--rd', c.path('moved'), env={'DSPERSE_ORT': '/nonexistent'})
    check(v['bundle'] and v['verdict'] == 'accepted', 'nothing but the bundle')
    run('verify', '--rd', c.path('moved'), '--model', c.path('model.onnx'), '--model-id', v['model_id'], '--expect-input', c.path('input.json'),
        '--expect-output', c.path('output.json'), '--require-full', env={'DSPERSE_ORT': '/nonexistent'}, has='accepted')


def test_expectations(c):
    m, rd = c.proved('tiny')
    x = json.load(open(os.path.join(m, 'input.json')))
    x['input_data'][0][7] += 0.5
    write(c.path('x.json'), json.dumps(x))
    run('verify', '--rd', rd, '--expect-input', c.path('x.json'), code=4, has='expected input')
    y = result('verify', '--rd', rd)['outputs']
    y[0]['data'][0] += 0.5
    write(c.path('y.json'), json.dumps(y))
    run('verify', '--rd', rd, '--expect-output', c.path('y.json'), code=4, has='expected output')
    run('verify', '--rd', rd, '--model-id', '0' * 64, code=4, has='model id')
    run('verify', '--rd', rd, '--model-id', 'xyz', code=2, has='--model-id')
    run('verify', '--rd', rd, '--model', os.path.join(MODELS, 'net', 'model.onnx'), code=4, has='not the model')
    run('verify', '--rd', rd, '-l', '0')
    run('verify', '--rd', rd, '-l', '99', code=2, has='99')


def test_full_run(c):
    m = c.model('tiny')
    j = result('full-run', '-m', m)
    check(j['verify']['verdict'] == 'accepted' and j['verify']['model_checked'].startswith('keys'), 'accepted')
    run('fr', '-m', os.path.join(m, 'model.onnx'), '-i', os.path.join(m, 'input.json'), '--sd', os.path.join(m, 'slices'), has='accepted')
    write(c.path('bad.json'), '{"input_data": [[1, 2]]}')
    run('full-run', '-m', m, '-i', c.path('bad.json'), code=3, has='found')


def test_whole_model(c):
    m = c.model('tiny')
    k = result('compile', '-s', os.path.join(m, 'model.onnx'))
    check(len(k['segments']) == 1 and os.path.exists(os.path.join(m, 'model', 'metadata.json')), 'one segment')
    r = result('run', '-s', os.path.join(m, 'model'))
    run('prove', '--rd', r['run_dir'])
    run('verify', '--rd', r['run_dir'], '--model', os.path.join(m, 'model.onnx'))
    check(result('compile', '-s', os.path.join(m, 'model.onnx'))['up_to_date'] == 1, 'reused')


def test_cuts_and_grouping(c):
    m = c.model('net')
    default = result('slice', '-m', m, '-o', c.path('a'))
    check(result('slice', '-m', m, '-o', c.path('b'), '--cuts', 'none')['segments'][0]['parameters'] == default['parameters'], 'one segment')
    check(len(result('slice', '-m', m, '-o', c.path('d'), '--max-params', '10000')['segments']) < len(default['segments']), 'grouped')
    check(len(result('slice', '-m', m, '-o', c.path('e'), '--cuts', '3,7')['segments']) == 3, 'explicit')
    run('slice', '-m', m, '-o', c.path('f'), '--cuts', '7,3', code=2, has='--cuts')
    run('slice', '-m', m, '-o', c.path('f'), '--cuts', '3;7', code=2, has='--cuts')
    run('compile', '-s', c.path('a'), '-i', os.path.join(m, 'input.json'))
    r = result('run', '-s', c.path('a'), '-i', os.path.join(m, 'input.json'))
    check(r['run_dir'].startswith(c.path('run')), 'slices with another name outside the model folder')
    run('prove', '--rd', r['run_dir'])
    run('verify', '--rd', r['run_dir'])


def test_layers(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    for bad in ('', ',', '0,', 'x', '1-', '2-1', '0-99', '99', '0;1', '-1'):
        run('compile', '-m', m, f'--layers={bad}', code=2, has='layers')
    check(not os.path.exists(os.path.join(m, 'slices', 'quantization.json')), 'nothing compiled')
    k = result('compile', '-m', m, '-l', ' 1 , 0-1 ')
    check([s['result'] for s in k['segments'][:2]] == ['compiled', 'compiled'], 'merged')


def test_accuracy(c):
    m = c.model('net')
    run('slice', '-m', m)
    run('compile', '-m', m)
    e = result('run', '-m', m, '--eval', os.path.join(m, 'eval.json'))
    check(e['integer_accuracy'] >= 0.95 and e['argmax_agreement'] >= 0.99, str(e))
    check(not os.path.exists(os.path.join(m, 'run')), 'no run is made')


def test_max_memory(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m, '--max-memory', '64K', code=1, has='--max-memory')
    check(not glob.glob(os.path.join(m, 'slices', '*', 'native_circuit')), 'refused before anything is written')
    run('compile', '-m', m, '--max-memory', '1G')
    rd = result('run', '-m', m)['run_dir']
    run('prove', '--rd', rd, '--max-memory', '64K', code=1, has='--max-memory')
    run('prove', '--rd', rd, '--max-memory', '1G')


def test_interrupt(c):
    m = c.model('mini_resnet')
    run('slice', '-m', m)
    run('compile', '-m', m)
    rd = result('run', '-m', m)['run_dir']
    p = subprocess.Popen([PROGRAM, 'prove', '--rd', rd, '--threads', '1'], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while p.poll() is None and not os.path.exists(os.path.join(rd, 'ledger.bin')):
        time.sleep(0.001)
    p.send_signal(signal.SIGINT)
    check(p.wait(60) in (0, 130), f'exit {p.returncode}')
    p.stderr.close()
    json.load(open(os.path.join(rd, 'run_result.json')))
    run('prove', '--rd', rd)
    run('verify', '--rd', rd)


def test_bench(c):
    m = c.model('tiny')
    run('slice', '-m', m)
    run('compile', '-m', m)
    j = result('bench', '-m', m, '--repeats', '2')
    check([s['name'] for s in j['stages']] == ['run', 'prove', 'verify'] and not glob.glob(os.path.join(m, 'bench*')), 'stages, nothing left behind')


main([v for k, v in sorted(globals().items()) if k.startswith('test_')])
