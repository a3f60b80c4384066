--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: _sqlx_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    account text NOT NULL,
    login text NOT NULL,
    status text NOT NULL,
    display_name text,
    created_at bigint NOT NULL,
    bundle text NOT NULL,
    bundle_signature text NOT NULL,
    bundle_sequence bigint NOT NULL,
    login_key text NOT NULL,
    fingerprint text NOT NULL,
    keys_version bigint NOT NULL,
    keys_sealed text NOT NULL,
    password_version bigint NOT NULL,
    password_realm text NOT NULL,
    password_nonce text NOT NULL,
    password_iterations bigint NOT NULL,
    password_sealed text NOT NULL,
    password_verifier text NOT NULL,
    recovery_id text NOT NULL,
    recovery_sealed text NOT NULL,
    recovery_copy text NOT NULL,
    recovery_verifier text NOT NULL,
    state_version bigint NOT NULL,
    state_sealed text
);


--
-- Name: bundles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.bundles (
    account text NOT NULL,
    sequence bigint NOT NULL,
    bundle text NOT NULL,
    signature text NOT NULL,
    published_at bigint NOT NULL
);


--
-- Name: codes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.codes (
    account text NOT NULL,
    login text NOT NULL,
    code_hash text NOT NULL,
    expires_at bigint NOT NULL
);


--
-- Name: devices; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.devices (
    account text NOT NULL,
    device text NOT NULL,
    name text NOT NULL,
    public_key text NOT NULL,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    revoked_at bigint,
    counter bigint NOT NULL,
    access_hash text NOT NULL,
    access_expires_at bigint NOT NULL,
    refresh_hash text NOT NULL,
    previous_refresh_hash text NOT NULL,
    refresh_expires_at bigint NOT NULL,
    told_at bigint DEFAULT 0 NOT NULL
);


--
-- Name: failures; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.failures (
    bucket text NOT NULL,
    empty_at_ms bigint NOT NULL
);


--
-- Name: invitations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.invitations (
    invitation text NOT NULL,
    account text NOT NULL,
    record text NOT NULL,
    claim_hash text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    guest text,
    guest_bundle text,
    guest_signature text,
    proof text,
    accepted_at bigint
);


--
-- Name: logins; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.logins (
    attempt text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    device_name text NOT NULL,
    device_key text NOT NULL,
    kind text NOT NULL,
    proof_hash text NOT NULL,
    expires_at bigint NOT NULL,
    finished bigint NOT NULL
);


--
-- Name: secret_check; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.secret_check (
    only_row bigint NOT NULL,
    check_value text NOT NULL,
    CONSTRAINT secret_check_only_row_check CHECK ((only_row = 1))
);


--
-- Data for Name: _sqlx_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._sqlx_migrations VALUES (1, 'accounts', '2026-11-22 12:06:57.135859+00', true, '\x2c5a33c86936f7a511e18c80760633342cf7ea38f77cf903fe0c47cbf4c585a98ce91d80c6177a91330ef9a76a716aef', 26344682);
INSERT INTO public._sqlx_migrations VALUES (2, 'indexes', '2026-11-22 12:06:57.162845+00', true, '\x236d2aba6c3312883f3a3bb3d64ad917d89971ca9b24670af8b89805ff40ab9aa6c8e722b25650603a9a30e9caed3620', 6833224);
INSERT INTO public._sqlx_migrations VALUES (3, 'secret check', '2026-11-22 12:06:57.169985+00', true, '\xb06ff6c4a1f47b2e569493c70542d2e798f17a04c40e64b8f32379d7fda11ec6a231f3df3a04496600950f0b7084e205', 2053521);
INSERT INTO public._sqlx_migrations VALUES (4, 'told', '2026-11-22 12:06:57.172217+00', true, '\xfc10961197067788213f758bf8ff5293414fc9e7e17a0b0d10018bd22833157127c0ff5a7bb7fc7abb216980efd21127', 865155);
INSERT INTO public._sqlx_migrations VALUES (5, 'invitations', '2026-11-22 12:06:57.173267+00', true, '\x4b0e3291d3de276c98904a278acf646ca7cebad6f227d2b5b3aaac9d4e7345799a37297392f2573b67aece40cb465848', 3236070);


--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES ('28132610675c73d6d7d82f331f7eab7c', 'test-only-alice@example.org', 'active', 'Alice', 1900000000, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e6f726703582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010603', 'a6d0aeb8c3cfa103dec8bdea57b7e7f1ff037de1271b1de4b8b2056917cab48913321f47dbe07f98c9e4b7c17678c26de05ccc93217f3dc4a10db9b532b24908', 3, '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b0203010001', '6769f4098b22359381ea51fcdd559857c7eb63904b61c97fd3f4863d1b66d2e3', 3, '558fe0d55994725acf7ace8a1185a2eb505bd2b93cf04d3442d242a3a05482c565c7b54ec2860e6bbd4abaddfc6cc0c333edf5de874234e67ef3d370a183112fc62f4e341976fccb8f8beec52f2132b91d87a23f7bc72168fc4ec545a0a16aedb4de363b2180f43b819571a0aff75bdc71f6a5807f193f90560664c6b661bf72eacd099b3a8b1388228f9da14459801326c07d5f0b0db5a24675b28c4c49ccb18da40cb9f7872890744dfb6ac22ce35fc7ddcd008c372786084efcac02a86e3248d4c366624097bc3806bf5960957f71c97277ea58b4cbb2c849456cbd2dad1745cb3954930533278449bc6bb14a66d38458ea5d9ad4b86f6644bb3302e0ea87a55c92d456bc3f7331856fc4371ebd8a8474f26f4d988a0b5e5aa1bf996c5f920e82371eb9d37dcde671691c64c48483e8f5e8a98685da9ebe36dbd8840107911bc9d4d2b320e0c2069c06bcbff58ad554567f54e5c3b5c10ce5f3020508eb907bd90a9467b845bb6af143b11344c6ece1175a5f5a30cb600d2509251766a465b98b143ad607f422dcc4a3fd673c86cc6072aed93d2d3337b645216f0a93511f216be04b71112c2ce5b53a9c3cb5e7bb233ba987c790a230b0998a8763ef7d5b7acb88dd8417cc13ba650b985ea4d240012544e4b198ebed39f3dcc5cf3cd8d4a03474a0feeec4f469476dbf5b372e156b2c84d0c112bb1a9dcb05ec8ab156c99f84fdbf482fff69f8171b8a17d49918d875bc7328d7946b254b2d36d972d993f362cca2d358e86bb4d880bfc300f0ef6e070c573f18b2f7682cebb71ae30277113c9f59c843924000aa894338ff1dffbea2d6fff17c1c10b91b2cbb23be1e484e94fb10e5952aae09e5c54a0c1a68dca40cc51ae0ccdc055d4b9af2a203293d3991cdf37ea2ef8455963c4201869dbb665d446ff443cda26515a111958fbaa315dfeb124f7709b5fcc1ff60c7ca2089c60fd80e6202f8d8b28a0c9d14a25ec1b45e2893eefbf8b304591879815940288052dd8ef56637529f30b0b22cb7dc5d02e34843785477f38abc0e6512bf11877131eb7ce216f580d00acc26526ce2f4db208a34759c740347e534ea48d8e5533713cdf70e41662a0356aa50da5bc663e956b45b66b1e8cce810c02b2cbc6d0a7e75c41ebc09a93a288cf82e0d012c228124e3df2d364709cb137667c8515d32ac46602c72bffd525c294d6dd27aad12e99996bf45e0931c675753cd2e4913ef7cb0b150ed7ebf36d584a866c285537c0333ac4b9cd2b19283f264425ded562f0a23439e21a0ef8c2476b7d4bebaedd2cc57bb0defa25d84b95bfa69a59447d034c67c9e711a24536300c5942d6db06ee52b74f8d1d7fe9643a659519b0bcce9cba16e00af2e74391d39cbea5c9b6a51f985a649c61bf13871c942f062df45b4d7d8289d8b2a7084a94e06c58fddaeeb14b56a66d2e3765d36c168f8716643c674443d1eb76c56b3f491e2bc1c91526b38295782accec87ae50caaefe0fc20b74deee88ab76c853d76a86173ce5c803f4507ca7cf80e4a9600cb699c18b1221ec0518ccbe7d99be1cea0201282b9a9b94dd9973dd61aa51aa501bc09942dda4210616985ea9af67b68fa783117d1109a5e74fe4c831ed009cea2c117fb0154694d155c8ea5ca0059608863fcad78f4c76979b092cdca5dacf8a146a86169eeb27bb7c4fefe7f5a4e1bc31deeb40a9d0d13a27aa2a81c5a4d82ac791f1ba45d996289162e6829cf696031e39ab588ec9fa1c902a6ca7dfe8890af6f249f9e031c8d07e14f67601a7a516122e24312b7d6d0cc8fe25019dc862b43266702aefb6137ab36013a920465f64fe2e2c2f73ff5e361c0b880d06de903553a4573ec7eeab5538c1770cdc6edde1c6e5b5060a2d8deefe5de28ceb7778f2d07731e387e8cbd4eff7bc424ade2d76d053e7567c48c8020c59f6b8d217c7ce6c2178c8e57e85c89e907b2011c348a1fca1aba1d4eb7432eedb9301ec88f97bc98fe73c6060808f5999e2e8c6efcb1da39cdbf469994f8e371beef406f2b726e4aeb439def02be29c887369d14f2b1f52d809b8d694b37b9f09eda6e72c660f648970d29b3de7f91807c80ca14c1328eece6b91a646d3e681c94cde38d26b2627f9b353dd5d64e2f283724e5f5f3dd7a03309739eec49f61604097db86a49e23784d855d452a1a3e64aa088c47411ee7c4cadc9152bcd9872d8c0028b6a80293db8f475d23a321dea5e4921d06029e835391a3b292ddf4393dcec2ca6b90ce7e56d9179ebe496ad9beaeac66711290c7ad415f88d951b3c27328463b5fe4b6c0d32fdd53f32b48a681acd1f6778a421a1b14e147a36d3a366c400bce55cae4d120873230bc8f34377a71ace8104a5387d146663a7b921088959560751f700c3792b57e2903aba8c6921652f281debf3fdf6373349be5b8a824a9923b48bdfe7c54f30b8ea43e880d74bc352e70b974789dbeb458c5b1ab822d7b0e5aa6b0952365cebfda8488bd9754004e643145dd680d418fc6e68a290e292841c80323eec3b029c432f74f6de832ad905f43eed5be4e1f979df7a70350bd2eba41be26548cd1f326c8a8778ea801b5c7f621375f6e14072cdfef662c0ef98040ac54aa26b8cd36afde61bf6f829241fb53fbda3499b0994b4f959e459234dc6861d592e5f2b5040c06f54a7fead9b0ca9feb81d2939de79ed66d74985d2c3c259676071e600a4f4c737f11deb7f41523f58e9fee2eba1dfb88d41e6461c21af99be7465fba61f95093ad6566f18cf67a4eebbeb5457d5efa81f368e8e468fd0f1247146968ad73774c558bc843c4ee5d6d2df90aa9acd7076f879ce4ef0e669c3d417a9dae60371670a392978ada32cc543158a87b98a7ecdcaf319be5751c5d5bd7ad516deab73c0bd00b68b05231421ec1139b731efdd99ce4957af9383fbeda2d19a1f6cfef5bf079899de06b5e759d08513c3a523fa2154f4b3f0dc2347fd646bf05c40ed28c630165e2c7d0ed15010f8b6c0f3d674515acf7fa5435b33f7db479f8789ce403a826018e73f888c1a7019464ce61ef55ec7abafe159bec0a771b6f92de2f28125c59a65f0060ccba25dd774a6a45ba691cc65792532a7c92c7dc9bd33600a9d3444513ff59d2d16f04dc04e4a23ef714a8992e62360e600047b5d7ccac860848c9037ed7465ed2dc20f5bf6c6732791ecc9c86db4978d8196d462c84a4dd2671b4c08c4e4f8b38b32eb53ff43cf782af270217d15087924e63886ca4aff97365fa279f3dd5e2a7aa20bb24b86593433299deacbc342a95d54c891b33479e499b0e6e9bbba7344962c6eba73f42e4f267ac4872981db5f24200fbaa7afd394539fec83ed8c9d13eeb6c02ac79f1285a8458ed5af9189296cce6bcd871cd726684203c71ec614cda154b1a86653b7e85686d9dc03a6e15d3bbd5e8fd97c197f41d237b880ea10d63b6c0099b15438284c3af78dcfd34e5e4d95bcd6952416dba074be43c3ae293e9c8cbadf7600950f0d45dea4984f5d986fc89153011f62008953ed7c9400f16193e468e508052b63d955a22b3d2f7dbf08eb9b0afb98cd64d664624723d0b7c7d518d9984736cd323fec37a5d97a51652d80060a4db9e61ca2720c678871ae0a4c603907f548a3f92f6f1b0e49a61edd8c56ec8f8f6a90f8c4bfc1cb78934acf94dc4bb56b2ced197f0e44c4681b6fe3b91426c0d040e33db9bc22c06ca56ca8f861665e5e6f2a7ec3ce9b6ddd5def144873cc1918e3bddc4f1cc0695eea7d6675bb6973af243049dd894d0e21f02ebddf136f66a7481c18c3475f86bedb2f6a3286b51d3f8adf4620b9113512fd15dfc0cfd5db14fdff92c3c2976639912c6da20eee88f50477492d30ddf941bbd4aaa2b348d20d697d1081c2400d3cee8cff89f35bd294b51c1f66e11c1e4657f6e8199ed5275c5537b889168b6869f3d8cb462f2d1becf3953e9ce3e226e7e5e78a8fd92287082534a5d2f3df5559fd136ee8a61c41a73b7568a6808f73d1dd84aa37190f6062c5ff260009564293b3292218a2c376f5a6333481feec60064cee02b3ae41b7a281f42fbbe1389985756c10459d7dbb443a61d06a014842945e9d9dcb301161733f6cb94e06aa25a3682a48a9f5adea77d723f61eec5d1728951ec155f095a2e242cf77ff90783eafcb674d571ed7a61daefb62c6506bc226bf71a3bf70717908b6af3598d6ee4f74e834ca0a8194935935111acd18286ec0c4261d03e88e017601ceb567fd56d0bea6d3b05be3c6a34bccb7a9a6c6598a955c5117c398b673173e990503107d113036c649fdc5c5cd1d4e2a4e972ede15ca3d634a446dbb7c4c642a718dbf950a30e3fb62c60bf5023202d2a60166590537fafe37503e6843362a9b28505292864e63e9ed8e0d9d5e3f1d5d34daf769ace1d05e3cbfd5b850e035175a5a26e89c7eab45de20b5653d886a15f19ab06bbf9f0375270d0c2962855968ab794d45486082f327002bbcd1fdd8cce284294d0d386f6049aa5da109710f20b87f55033c52bb8da8dbd925e348d759e758c970906fa4e2806c6c732d81e402024b1f696ea0a91335088fa3efb20ed4e6224d201a7992904c9d19d92c2c6d8e3c0efaccb19210cf3a80dc7ee0bddcba80f0c37a700935cdbdddd5d72d93847e406f946c4df8739149565e73c55cb28df29d8b31a1ee9cfa7c92091fedad5286976152235930d30ca73e217211cbca0764d64689132227e76c0059d25d46885d7f643a553f0c15306c2c3d01ac095ff029e2b240714a02c34e54b8d8a48ead04dd83c8c4db7fe2d09e035286fd18ece8b6353f056c9e997a5fda0964ad201e648950f6b1faae640cda11ff90710c385598a4d6034129c533872f0974132e9fed50cb2f3bd8b838aeed04d3ab6878c46d3db29710e3e73ef6a54a32b480bd7da8f61680ef35d198fd86f7758a0868c92887c351c0a0921e25554e97f5007e55e0e5efe855119dd65542305b81ffae0dee6ed9609108e5dce961d058ee3c7a2100d6ca2869b02e1449ff9151a2300119f22ec6f2a5b6a060ddb8676715d1cbd0628ec94ec76e4ff49469a04e210956584e2889442718eaf7c9c23681059ccf8e2b8976cdb378e2c15d39c7154436906b750a0231b378ca1e69cc1efc544c2de0946a9392c611621cdf911e09c5374e7e69e2452808fcad2d9cad34749ef7404713605737a86a1', 3, 'https://keys.example.com', 'ff4124f0d30712dbb263244c859552f9', 600000, '8be307ef82f1e571afb681c6ab8bb3a21bf35b1c3b49f5e848379b2e94f7e38f4bb52953ef220a88818f3e952803e2cda7dda9872d862fd1baa7bb974091c2d58b723eda1dc36ef5578eb3b6fcea923a2b76516a09abb938812e82229859ad7178bcbe6d6d83d647', '3087308bdd9c2de0dc15438754156ab5c4560f181812d8eb594b7f503fee44fe', 'a738dc707105648654e490d6c3aa26ab', 'c11854bc80e33e710b75088430ac6fe8b4bcdf3efd36f1a37bae45bb1e55fe8b2530f22040e3c10945c500dc964e61090c99ede597bc8e52f3ede3749936862b3d778937125c1c949ff77b226607f3f853a0d92288839de19f12070290c256becd76a1e12c4b17cb', 'bec826770c8cfddf7ea62819f9716dc0ba9189d0397e018e193c1442b787a10446dc223daa16980d0eddf4c139f2dbd52d9ed606ec7ab1428a04d3bf266855b7ab24977150a0c244301be3bb984758e1edd8bebde8f6479adbbb934a', 'a5a4a4fc02bd8f46cc787c88f329858ce47df429b37dd2328967274599c5bb24', 1, '9efce3199c271e801d167bedf67baae26d80b9bb0754e8a519a68dd332d7b94921e1e2be3db3d370bb810a041641368108f6b0b0732a87fbb41567c2e0f177a6e27f3e21015257922f886c90d84483');


--
-- Data for Name: bundles; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.bundles VALUES ('28132610675c73d6d7d82f331f7eab7c', 2, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e636f6d03582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010602', '42328ebfaaa79dc725116cc09ae8758a9950c93ecbc8b87581d8f8e6fa519c14b25be7aafff45a4378ae0422dd5106ab9d0bb32e74834b4c0e418c6670c33b02', 1900000000);
INSERT INTO public.bundles VALUES ('28132610675c73d6d7d82f331f7eab7c', 3, 'a70001015028132610675c73d6d7d82f331f7eab7c02781b746573742d6f6e6c792d616c696365406578616d706c652e6f726703582070b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b045901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100d2be91530bd33a97c8bc4f312628950914f1ffdbdf40986907b19944e484a72857e64f9283bd6188ea715ca58f6766287cdae1f7b2709a3b02eecd104ada6288f77a1389a3574f2747906d79d742ca3608176a9ffc4accc58ebc223f33fd7e5e08c92ff1114927e2c357924022306ca3a68a791083fb0eb3f7287c0040fe1d150c02e2e317c62c7cb9c8e1196c4015996a1f69f349a982a515232d802f12c42372f2b2f0ed22d83f31f83064442a5a64d032d9644a8cc362bd2cb670cf5f5a71a99d4fece957ce8d3c800a25aa9ded50bc403d127ff11c7c9719e20003bef37f506345a5080b09d9fd514a9e99b4d93eb6913f19f65fe91f1a2c99a78e264a1bb4c351ab84bb953489f17b0f960ca10154d4b27ac6053d243fc5d5987e3f8fcb4d6b1378afcbc7fd1c43d6fb53d64f2ccdf1752cbb2c4fb3290cbb12e11b09f448630fcb61258cc75e39cef507f95f8d51412fd9f43e1e69f3521f21d7d670b94e1992087a5c3407bccffa88c46c51d560c0fc6d289fdbf6d9955d7ba0f03fe30203010001055901a6308201a2300d06092a864886f70d01010105000382018f003082018a0282018100a9964fd3306846db2c2956aeb7e53c5b8e50646341ae7ae6a12d7ac44f4deda14513edcb6ce4a05878015747070e68d2281a43e8a43845f2e845475c33aafff4f71953a988986170e7fb7f118ceebb6f4e4daa1333aaa4785b8e48f5bb25ba4be9075d0aaf976ac798eff3e09513747e89bbcbf990deab591bec2b9dcc264215efecbbb24116b488edd3d43623745f0c37614857f91b0dc1183a0b5da7e0041ad61f77b6d8982300271c9b446ab1043f83bfb95c84df7065a45c0f1cdbf33fc238a4d30a892a4886b6ab301d14888a74b47971ffbea0805edcda1eaedc5a6301b9ab5b29a01b7cb70e2cf6576c367fbee3136651d3913f572f54b484dfc04a2535fddb8830d82404823a6a1af49e1e2369d16b9b55a7cf5bf8f48aab0be50c278b32dc89607adc73d4afadcf9d201ee8cb8bcfae7fa68f7ca3dc3a86a53807b8d817948d6c578ddb933007e968ca23412a20e435825f267cdbef58ef020ffbe457b93612c61476fb0670a1536085b50d046ba9a35ad86d1a3770cf0f3ca5f03b02030100010603', 'a6d0aeb8c3cfa103dec8bdea57b7e7f1ff037de1271b1de4b8b2056917cab48913321f47dbe07f98c9e4b7c17678c26de05ccc93217f3dc4a10db9b532b24908', 1900000060);


--
-- Data for Name: codes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.codes VALUES ('28132610675c73d6d7d82f331f7eab7c', 'test-only-alice@example.net', 'ef093110113ef4bfb960553619b5c1b290c5d5222f05911f8f76eae1c1b81974', 1900086460);


--
-- Data for Name: devices; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.devices VALUES ('28132610675c73d6d7d82f331f7eab7c', '9b4502f84bf403797182ea2c47e5b6ba', 'laptop', '70b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b', 1900000000, 1900000060, NULL, 1, 'fa7b109aae35e6cb17eaf6227a9c4ebd6caaa8a759cb867adb6c00922a05896c', 1900000960, '4f6347282c75553f1c43712598ba0d183b48deb72afda0a922012aa4bbebd672', 'c833884cf6db1d9fa7efdeba5e3f1ed9b3b094ee8878930d4f12dc2c09ae7952', 1907776060, 1900000000);


--
-- Data for Name: failures; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failures VALUES ('availability:192.0.2.1', 1900000036000);
INSERT INTO public.failures VALUES ('account:28132610675c73d6d7d82f331f7eab7c', 1900000240000);
INSERT INTO public.failures VALUES ('device:28132610675c73d6d7d82f331f7eab7c:9b4502f84bf403797182ea2c47e5b6ba', 1900000060000);
INSERT INTO public.failures VALUES ('keys:28132610675c73d6d7d82f331f7eab7c', 1900004380000);
INSERT INTO public.failures VALUES ('address:198.51.100.7', 1900000078000);
INSERT INTO public.failures VALUES ('all:', 1900000060090);


--
-- Data for Name: invitations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.invitations VALUES ('d9f4c4ef5ff62cf9b64cab3e7a64f073', '28132610675c73d6d7d82f331f7eab7c', '9e75623fedf2d66eb28acc40b09433d3ac4271a19b3c19dc6fd18211c73f97075ed1a7fb595e7edbd2567641cbccb967c5eb96db3c70a94cb55058582a9d788ff013d48731a532c4f7c2f879201b8033c145c166b2befd8afaa901c38165089902d9305203102da2129e1540f1d417bb273d603e3f57acf01abc6f295b8aac620e99ea802c02ba1e0392635a492ffbd3fc83641554b99b1267ed733283fc656bcd46012c56fe7d06760e17fc18fdad93d8363014044cab896d62f3fc06bdbbab914313ff4c4da244ab9b09b334f4e396277ed3d8dc30dd79b68cde60d6fc9bd782c7f1192efa2d663467ed405bb53a827499e5bcb56d927bdc35333ee8b310c3840b812d164c06157866b3a388ac988650ca3d7f9b10b862155532a4bd0793ee380c127be014c400f553c598e902822f2c6dad7c9f3faed5ab1f97bbe1b3344dac3ffcaa58e604290a49126cd67f5550526f521146b2004a2f6e79ab185e421306d1a2c45793d11f29098fc25288084dd44e58a07854a32fb563b8ab19007c759504ab54d80f2e50380623a8cd0404f183bef3a433bb730f8394fd03260bb50f2748ba3b4e950482d976deb608391482cdbc0ae756c91532714cf397fd74062c3765a1c15c42d8c64a1f985ee9b0f0a2139fe2ac008c77ccac6dbadb229e1f3a7b7e0cbf875f7990739c2eb54be2c0bd22cdf56b98d7b5d180cfea0c3313915b3921ecf8155d034b7210a699cafbb23bae676721ccfe7dec65f2fb1b37a73ce90edfd8a6c0d4b3aeb8b49efdefa35d8a574da5e5d3d4ad742ec75ccd41436ba7816a878f1ccce2a464c64907efdcd5ec23aef29f196a347e0ec5e154cd2fe791d0a06f7f1e14e2e0f4cefe6ed9ffe39e8f6b20cea6a5b4d95d9b2eec8e386acd045ab171d24a49b9d237b53f43b169eaacbd46a5c8358d7c8245780a4623421562c01ebe2f7b9a9ba438153f8a3d27d4e540b321bf81940c750dfaeae06ebadb73faf02d75554eb22c737810cd23a4f51e0f612d22788faf23fd7fdc317e28b35303eca2c7a6e4c800cc86d9262ff705d1d9e94a2e5904a45daa5a3593fe21579ebba19dba9c9ebedae06ad299739e03b723d9d586a03616cafc56895bbf36662bf78e91ac52b2f39d7c7a6acbd7707a59616d4d07f0ed2a927da2a4cc3fc684c9d9e9268746641ea40dfaa29ea9a9caea4a1c6b3167ccd444439ebad4d0b0fc7a76aee45886aa1c1e68cd5eeb24f77eb219ae40c031ceeabf8bd8d1dde5c763075a5a7cb990e83fe5e1256df36859417ba6c3566d09e860cdf3965b737677990ccda12668e633888fe060f12f01c70dcc7e5dca15d1b7e877fdf4f01da1a55cd79d083453986efea6fa12c21abdf6a9d1e2d7c363148bd0b5b4fb213c84b72ccfe8821d740c214837d6e62a24e3fadf441d3bf43e05a038d967040cd8aacd3040018955e2ddbd123e6992a7fed070b05cb5563524b0af3b20e2308799dd8a76bdd627b4397ed32cf2a21cc3f318e1ad09d4fd9e6f4f329363a146a15e91856ed0f83b44e7d35c06ebe27820db71f4d657d19cf8811bfcd315f0df231d8bc564f01df7d4add3b851290c794c696bd07715d77b143c2f96dc8e30e2fd0974a034d031c66b55f3d5acca8931b5f49d50d58031ec2f2d2e39d0c2974e7b', '51fbcd6f934212db6b0aecae65feb069b29474157a2fc77bea767b1d598a0b13', 1900000060, 1900604800, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: logins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.logins VALUES ('48fed92da71c5d10ac16cae96428c80300000000713fb3786f06716e062a146e54a794afeb1733b0f154465c66d85d6c7d268c67bbb7b97c', '28132610675c73d6d7d82f331f7eab7c', '9b4502f84bf403797182ea2c47e5b6ba', 'laptop', '70b8b9f97f37dc1d631eb956a9b19681d60301fe4e771a8f7ea30deba2f58d6b', 'password', '46118590e14b73b1cb3eab7f93361f54b9fb8f44360a6a80ae69fcb9f7044f64', 1900000120, 1);


--
-- Data for Name: secret_check; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.secret_check VALUES (1, '6822cd5f8eeed1db8a80bdcae9e0ab1c0cfbcd86bc0cb30dbafdbcb2eee5309d');


--
-- Name: _sqlx_migrations _sqlx_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);


--
-- Name: accounts accounts_login_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_login_key UNIQUE (login);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account);


--
-- Name: bundles bundles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bundles
    ADD CONSTRAINT bundles_pkey PRIMARY KEY (account, sequence);


--
-- Name: codes codes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.codes
    ADD CONSTRAINT codes_pkey PRIMARY KEY (account, login);


--
-- Name: devices devices_access_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_access_hash_key UNIQUE (access_hash);


--
-- Name: devices devices_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (account, device);


--
-- Name: failures failures_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (bucket);


--
-- Name: invitations invitations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (invitation);


--
-- Name: logins logins_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_pkey PRIMARY KEY (attempt);


--
-- Name: secret_check secret_check_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.secret_check
    ADD CONSTRAINT secret_check_pkey PRIMARY KEY (only_row);


--
-- Name: accounts_unconfirmed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX accounts_unconfirmed ON public.accounts USING btree (created_at) WHERE (status = 'unconfirmed'::text);


--
-- Name: codes_by_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_by_expiry ON public.codes USING btree (expires_at);


--
-- Name: devices_by_end; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX devices_by_end ON public.devices USING btree (COALESCE(revoked_at, refresh_expires_at));


--
-- Name: failures_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX failures_by_time ON public.failures USING btree (empty_at_ms);


--
-- Name: invitations_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX invitations_by_account ON public.invitations USING btree (account);


--
-- Name: invitations_by_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX invitations_by_expiry ON public.invitations USING btree (expires_at);


--
-- Name: invitations_by_guest; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX invitations_by_guest ON public.invitations USING btree (guest);


--
-- Name: logins_by_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX logins_by_account ON public.logins USING btree (account);


--
-- Name: logins_by_expiry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX logins_by_expiry ON public.logins USING btree (expires_at);


--
-- Name: bundles bundles_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bundles
    ADD CONSTRAINT bundles_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: codes codes_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.codes
    ADD CONSTRAINT codes_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: devices devices_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: invitations invitations_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: invitations invitations_guest_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_guest_fkey FOREIGN KEY (guest) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- Name: logins logins_account_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.logins
    ADD CONSTRAINT logins_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(account) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


